package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// ConnectError says that a server could not be reached, or did not let us in. Nothing was written.
type ConnectError struct {
	Where string // host:port/database as user, never a password
	Code  string // SQLSTATE, "" if no server answered
	Do    string // what may help, "" if nothing is known to
	Err   error
}

func (e *ConnectError) Error() string {
	s := fmt.Sprintf("postgres %s: %s", e.Where, line(e.Err))
	if e.Do != "" {
		s += ": " + e.Do
	}
	return s
}

// line is the text of err without the lines that say the same again, in one: an attempt has one for each address of a host.
func line(err error) string {
	return strings.Join(slices.Compact(strings.Split(err.Error(), "\n")), "; ")
}

// Unwrap returns what pgx or the server said.
func (e *ConnectError) Unwrap() error { return e.Err }

// ServerError is what the server answered to a statement. Nothing was written.
type ServerError struct {
	Code    string // SQLSTATE
	Message string
	Do      string // what may help, "" if nothing is known to
}

func (e *ServerError) Error() string {
	s := fmt.Sprintf("postgres: %s (SQLSTATE %s)", e.Message, e.Code)
	if e.Do != "" {
		s += ": " + e.Do
	}
	return s
}

// SchemaError is a schema that cannot be used as a store.
type SchemaError struct {
	Schema string
	Reason string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("postgres schema %s: %s", e.Schema, e.Reason)
}

// lost says whether err means that the connection is gone: nobody answered to what was sent last.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "25P03", "57P05": // shut down, crashed, starting; idle for too long
			return true
		}
		return strings.HasPrefix(pg.Code, "08")
	}
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, errSilent) || pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}

// errSilent is a server that did not answer within the driver's time limit.
var errSilent = errors.New("no answer")

// retry says whether the server takes back everything of a transaction that another one may do.
func retry(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" || pg.Code == madeElsewhere)
}

// madeElsewhere is the code with which append refuses a thread that another client made in between.
const madeElsewhere = "DH001"

// passing says whether what err tells of the server may be over soon, so that what wrote nothing may be tried again.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return starting(err) || lost(err)
	}
	if errors.As(err, new(*pgconn.ConnectError)) { // while it restarts; TLS and names that do not fit stay as they are
		return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNRESET) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.Timeout(err)
	}
	return lost(err)
}

// starting says whether the server itself asks for patience: it starts, or all of its connections are taken.
func starting(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "53300" || pg.Code == "57P03")
}

// classify turns the answer of a server, to something that was not committed, into what the driver's interface names.
func (s *store) classify(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*pgconn.ConnectError)):
		return s.connectError(err)
	case errors.As(err, &pg):
		return s.answer(pg)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && !lost(err):
		return err
	case lost(err):
		return s.connectError(err)
	}
	return err
}

func (s *store) answer(pg *pgconn.PgError) error {
	se := &ServerError{Code: pg.Code, Message: pg.Message}
	switch {
	case pg.Code == "53100":
		return fmt.Errorf("%w: %s", driver.ErrFull, pg.Message)
	case pg.Code == "25006":
		return fmt.Errorf("%w: %s: it is a standby, or default_transaction_read_only is on; name the primary (several hosts and target_session_attrs=read-write find it)", driver.ErrReadOnly, pg.Message)
	case pg.Code == "55P03":
		return &driver.LockError{File: s.set.schema + ".threads", Waited: s.lockWait}
	case pg.Code == "54000" || pg.Code == "22001":
		return fmt.Errorf("%w: %s", driver.ErrTooLarge, pg.Message)
	case pg.Code == "57014":
		se.Do = "the server's statement_timeout, or an administrator, ended it; raise statement_timeout for this user"
	case pg.Code == "42501":
		se.Do = "grant this user what the schema's owner has, or let it own schema " + s.set.schema
	case pg.Code == "42P01" || pg.Code == "3F000" || pg.Code == "42883":
		se.Do = "schema " + s.set.schema + " was dropped or changed by hand; restore it from a backup"
	case strings.HasPrefix(pg.Code, "53"):
		se.Do = "the server is out of a resource: see its log"
	case lost(pg):
		return s.connectError(pg)
	case pg.Code == "XX001" || pg.Code == "XX002":
		return &driver.Damage{File: s.set.schema, Reason: "the server says: " + pg.Message}
	}
	return se
}

// connectError names the server and what may help.
func (s *store) connectError(err error) error {
	e := &ConnectError{Where: s.where, Err: err}
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) {
		e.Err = ce.Unwrap()
	}
	var pg *pgconn.PgError
	text := err.Error()
	switch {
	case errors.As(err, &pg):
		e.Code, e.Err = pg.Code, errors.New(pg.Message)
		e.Do = map[string]string{
			"28P01": "check user and password: in the URL, PGPASSWORD or ~/.pgpass",
			"28000": "the server's pg_hba.conf does not let this user in from here, or not without TLS: check user, and sslmode in the URL",
			"3D000": "create the database, or name one that exists",
			"53300": "the server has no connection left: raise its max_connections, or lower pool_max_conns in the URL",
			"57P03": "the server is starting or stopping: try again",
			"57P01": "the server was stopped: try again when it is back",
		}[pg.Code]
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		e.Do = "is the server running, and are host and port right?"
	case errors.As(err, new(*net.DNSError)):
		e.Do = "check the name of the host"
	case strings.Contains(text, "tls") || strings.Contains(text, "x509") || strings.Contains(text, "TLS"):
		e.Do = "sslmode in the URL must fit the server: disable, require, verify-full with sslrootcert"
	case errors.Is(err, errSilent), pgconn.Timeout(err):
		e.Do = "the server did not answer in time"
	}
	return e
}
