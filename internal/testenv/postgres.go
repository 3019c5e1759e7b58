package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// PostgresEnv is the variable that lets tests start a PostgreSQL server: with it set they run and never skip. Its value "1" asks
// for the newest installed server, any other names the folder of its programs. make integration-postgres sets it.
const PostgresEnv = "DASHHOST_POSTGRES"

// Postgres is a server with a cluster of its own, which only the user "test" of this machine can reach. It is a direct child, so
// that it can be killed and is gone then. Its methods must not be called at the same time.
type Postgres struct {
	dir   string // data, log and socket
	bin   string
	port  int
	extra []string
	user  account

	child *exec.Cmd
	ended chan struct{} // closed when child has ended
}

// StartPostgres makes a cluster in dir, a folder that is made if it is not there, and starts its server. Each of settings is
// name=value, as in postgresql.conf. The caller calls Stop.
func StartPostgres(dir string, settings ...string) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: dir, bin: bin}
	for _, s := range settings {
		p.extra = append(p.extra, "-c", s)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	if p.user, err = owner(dir); err != nil {
		return nil, err
	}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword+"\n"), 0o644); err != nil {
		return nil, err
	}
	init := p.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "test", "--auth-local=trust", "--auth-host=scram-sha-256",
		"--pwfile="+password, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// PostgresPassword is that of the user "test", which connections over TCP need.
const PostgresPassword = "correct horse"

// postgresBin is the folder of the server's programs.
func postgresBin() (string, error) {
	if dir := os.Getenv(PostgresEnv); dir != "" && dir != "1" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		path, err := exec.LookPath("postgres")
		if err != nil {
			return "", fmt.Errorf("no PostgreSQL server is installed, scripts/postgres.sh installs Debian's: %w", err)
		}
		path, err = filepath.EvalSymlinks(path)
		return filepath.Dir(path), err
	}
	major := func(path string) int {
		n, err := strconv.Atoi(strings.Split(path, "/")[4])
		if err != nil {
			return 0
		}
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })), nil
}

// freePort finds a port that nobody has now.
func freePort() (int, error) {
	var c net.ListenConfig
	l, err := c.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// command runs one of the server's programs, as a user that is not root.
func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), filepath.Join(p.bin, name), args...)
	c.Dir = "/" // the other user may not be able to read ours
	c.SysProcAttr = p.user.attributes()
	return c
}

// Start starts the server again after Stop or Kill, and returns when it answers. settings are added to those of StartPostgres,
// for this time.
func (p *Postgres) Start(settings ...string) error {
	args := append([]string{"-D", filepath.Join(p.dir, "data"), "-p", strconv.Itoa(p.port), "-k", p.dir, "-c", "listen_addresses=127.0.0.1"}, p.extra...)
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	end := time.Now().Add(30 * time.Second)
	for {
		err := p.launch(args)
		if err == nil || time.Now().After(end) || !strings.Contains(err.Error(), "shared memory block") {
			return err
		}
		time.Sleep(20 * time.Millisecond) // processes of a killed server are not gone yet, and only trying tells
	}
}

func (p *Postgres) launch(args []string) error {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	p.child = p.command("postgres", args...)
	p.child.Stdout, p.child.Stderr = log, log
	if err := p.child.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		_ = c.Wait() // killed is how it ends
		close(ended)
	}(p.child, p.ended)
	return p.ready()
}

// ready waits until the server takes connections. Only trying tells.
func (p *Postgres) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		out, err := p.command("pg_isready", "-h", p.dir, "-p", strconv.Itoa(p.port), "-d", "postgres", "-U", "test").CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended: %s", p.tail())
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w: %s: %s", err, out, p.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail is the end of the server's log.
func (p *Postgres) tail() string {
	b, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// URL names the server through its socket, where no password is asked for.
func (p *Postgres) URL() string {
	return fmt.Sprintf("postgres://test@/postgres?host=%s&port=%d", p.dir, p.port)
}

// Addr is the server's host and port, where the password is asked for.
func (p *Postgres) Addr() string { return fmt.Sprintf("127.0.0.1:%d", p.port) }

// Dir is the folder of the cluster; its data is in the folder data of it.
func (p *Postgres) Dir() string { return p.dir }

// Kill ends the server and all of its processes at once, without a chance to write anything.
func (p *Postgres) Kill() error {
	sessions := children(p.child.Process.Pid)
	if err := p.child.Process.Kill(); err != nil {
		return err
	}
	<-p.ended
	for _, pid := range sessions {
		signal(pid, kill) // most are gone by themselves
	}
	return nil
}

// Stop ends the server in order: sessions are ended, what is committed is on disk.
func (p *Postgres) Stop() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := p.child.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("the server did not stop"), p.Kill())
	}
}

// Pause stops the server and all of its processes in mid-flight until Resume: the network is there, and nobody answers.
func (p *Postgres) Pause() { p.signalAll(stop) }

// Resume ends Pause.
func (p *Postgres) Resume() { p.signalAll(goOn) }

func (p *Postgres) signalAll(sig syscall.Signal) {
	pid := p.child.Process.Pid
	for _, c := range append(children(pid), pid) {
		signal(c, sig)
	}
}
