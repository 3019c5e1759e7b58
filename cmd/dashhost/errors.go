package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/sealed"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/streaming/filesink"
)

// Exit codes; scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitWaiting     = 3
	exitDamaged     = 4
	exitStopped     = 5
	exitInterrupted = 130
)

// usageError is a command line that cannot be meant.
type usageError struct {
	Text  string
	Hints []string
}

// Error implements error.
func (e *usageError) Error() string { return e.Text }

// asUsage makes a usage error of what was found wrong before a command began.
func asUsage(err error) error {
	if own := (*usageError)(nil); errors.As(err, &own) {
		return err
	}
	if own := (*notYetError)(nil); errors.As(err, &own) {
		return err
	}
	return &usageError{Text: err.Error(), Hints: []string{"dashhost --help"}}
}

// notYetError is something that is known but that this version does not do.
type notYetError struct{ What, Instead string }

// Error implements error.
func (e *notYetError) Error() string { return e.What + ": not in this version" }

// exitError is an outcome that was already told: only its code is left.
type exitError struct{ code int }

// Error implements error.
func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// explain is the table of errors: what each means for the exit code, and what to do about it.
func (a *app) explain(err error) *fault {
	f := &fault{Error: oneLine(err), Exit: exitFailed}
	if !a.explainOwn(f, err) && !explainTopic(f, err) && !a.explainStored(f, err) {
		a.explainProject(f, err)
	}
	if unknown := (*storeUnknownError)(nil); errors.As(err, &unknown) {
		f.hint("or name the store itself: --store DIR")
	}
	return f
}

// oneLine is the text of an error, of joined ones each thing once.
func oneLine(err error) string {
	var lines []string
	for _, l := range strings.Split(err.Error(), "\n") {
		if !slices.ContainsFunc(lines, func(told string) bool { return strings.Contains(told, l) }) {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "; ")
}

// explainOwn knows the errors of the command line itself.
func (a *app) explainOwn(f *fault, err error) bool {
	var (
		usage     *usageError
		notYet    *notYetError
		file      *fileError
		notEmpty  *notEmptyError
		noStore   *noStoreError
		large     *tooLargeError
		notFound  *threadNotFoundError
		ambiguous *ambiguousError
		channel   *channelNotFoundError
		internal  *internalError
		out       *outputError
		running   *stillRunningError
		lost      *filesink.DamageError
		stopped   *cutError
		consent   *consentError
		broken    *damagedStoreError
		noKey     *keyError
		socket    *socketError
	)
	switch {
	case errors.As(err, &socket):
		if socket.Hint != "" {
			f.hint("%s", socket.Hint)
		}
	case errors.As(err, &usage):
		f.Exit, f.Hints = exitUsage, usage.Hints
	case errors.As(err, &notYet):
		f.Exit = exitUsage
		if notYet.Instead != "" {
			f.hint("%s", notYet.Instead)
		}
	case errors.As(err, &noKey):
		f.Exit = exitUsage
		f.hint("%s", keyHint)
	case errors.As(err, &consent):
		f.Exit = exitUsage
		f.hint("--yes says it on the command line; --dry-run only shows what would be done")
	case errors.As(err, &broken):
		f.Exit = exitDamaged
		f.hint("see what can be done, nothing is changed without a yes: %s", a.command("store repair", ""))
		f.hint("or restore a backup, if it has what is lost: %s", a.command("store restore", "", "FILE"))
	case errors.As(err, &stopped):
		f.Exit = exitStopped
		f.hint("%s", stopped.Hint)
	case errors.As(err, &file):
		f.Exit = exitUsage
		a.explainFile(f, file)
	case errors.As(err, &notEmpty):
		f.Exit = exitUsage
		f.hint("name a folder that is not there yet, or an empty one")
	case errors.As(err, &large):
		f.Exit = exitUsage
		if large.Raise != "" {
			f.hint("%s", large.Raise)
		}
	case errors.As(err, &noStore):
		f.hint("nothing was kept there yet; --store or --manifest name another place")
	case errors.As(err, &notFound):
		f.hint("%s", a.command("thread list", ""))
	case errors.As(err, &ambiguous):
		f.Exit = exitUsage
		f.hint("type more of it: %s", a.command("thread list", "", ambiguous.Prefix))
	case errors.As(err, &lost):
		f.Exit = exitDamaged
		f.hint("the store's log has the lifecycle of every thread: dashhost events, without --stream")
	case errors.As(err, &running):
		f.hint("it stops once its nodes react; look again: %s", a.command("thread show", "", running.Thread))
		f.hint("or take the thread away from it: %s", a.command("resume", "--take-over", running.Thread))
	case errors.As(err, &internal):
		f.hint("this is a fault of dashhost: please report it with what --log-level debug prints")
	case errors.As(err, &channel):
		f.hint("written are: %s", orDash(strings.Join(channel.Known, ", ")))
	case errors.As(err, &out):
		if a.scene.thread != "" {
			f.hint("what was to be printed is kept: %s", a.command("thread state", "", a.scene.thread))
		}
	default:
		return false
	}
	return true
}

func (a *app) explainFile(f *fault, e *fileError) {
	switch {
	case errors.Is(e.Err, errIsDirectory) && e.What == "manifest":
		if inside := insteadOf(e.Path); inside != "" {
			f.hint("did you mean %s", inside)
		}
	case errors.Is(e.Err, os.ErrNotExist) && e.What == "manifest":
		f.hint("name a manifest: --manifest FILE")
	case errors.Is(e.Err, os.ErrExist):
		f.hint("name one that is not there yet")
	case errors.Is(e.Err, os.ErrNotExist):
		f.hint("paths on the command line are relative to the working directory")
	}
}

// explainStored knows what a store may answer.
func (a *app) explainStored(f *fault, err error) bool {
	var (
		busy      *checkpoint.BusyError
		damage    *checkpoint.DamageError
		master    *sealed.KeyError
		collision *checkpoint.CollisionError
	)
	switch {
	case errors.As(err, &master):
		f.Exit = exitUsage
		f.hint("name where the key comes from: --key file:PATH, env:NAME or command:LINE")
	case errors.Is(err, sealed.ErrPlain):
		f.Exit = exitUsage
		f.hint("leave out --key and DASHHOST_KEY, or encrypt a copy: dashhost store copy FROM TO --key SOURCE")
	case errors.As(err, &collision):
		f.hint("take them into another store, or others only: --thread")
	case errors.Is(err, checkpoint.ErrBackup):
		f.Exit = exitDamaged
		f.hint("nothing was restored; is there another backup?")
	case errors.Is(err, errors.ErrUnsupported):
		f.hint("a store in a folder has that: --store DIR; \"dashhost store copy\" takes threads from one store to another")
	case errors.As(err, &damage):
		f.Exit = exitDamaged
		switch {
		case damage.Blob != "" && a.scene.thread != "":
			f.hint("go on with the files that it was started with, they are kept again: %s", a.command("resume", "", a.scene.thread, "MANIFEST"))
			f.hint("or with others: %s", a.command("resume", "--upgrade", a.scene.thread, "MANIFEST"))
		case damage.Gone:
			f.hint("nothing is left to go on from; give it up: %s", a.command("thread delete", "", damage.Thread))
			f.hint("other threads of the store are not affected")
		case damage.Thread != "":
			f.hint("go on from the newest valid record: %s", a.command("resume", "--accept-loss", damage.Thread))
			f.hint("other threads of the store are not affected")
		}
	case errors.Is(err, checkpoint.ErrDamaged): // the store as a whole
		f.Exit = exitDamaged
		f.hint("put back what is missing, from a copy if there is one; --store names another store")
	case errors.As(err, &busy) && a.scene.deleting:
		f.hint("delete it all the same: %s", a.command("thread delete", "--force", busy.Thread))
	case errors.As(err, &busy):
		f.hint("wait for it, or take the thread over: %s", a.command("resume", "--take-over", busy.Thread))
		f.hint("or end what runs: %s", a.command("thread cancel", "", busy.Thread))
	case errors.Is(err, checkpoint.ErrBusy): // the lock of the store
		f.hint("nothing was written; another process writes to the store and does not get on, perhaps because it is stopped")
	case errors.Is(err, checkpoint.ErrFenced):
		f.hint("another process took the thread over or deleted it; what was acknowledged before is kept")
		a.hintShow(f)
	case errors.Is(err, checkpoint.ErrFull):
		f.hint("make room on the disk of %s, then go on", storeName(a.scene.store))
		a.hintShow(f)
	case errors.Is(err, checkpoint.ErrInvalid), errors.Is(err, checkpoint.ErrTooLarge):
		f.Exit = exitUsage // a name of the command line
	case errors.Is(err, checkpoint.ErrNotFound) && a.scene.thread != "":
		f.hint("its checkpoints: %s", a.command("thread history", "", a.scene.thread))
	case errors.Is(err, checkpoint.ErrNotFound), errors.Is(err, host.ErrNotFound):
		f.hint("%s", a.command("thread list", ""))
	default:
		return false
	}
	return true
}

func (a *app) hintShow(f *fault) {
	if a.scene.thread != "" {
		f.hint("%s", a.command("thread show", "", a.scene.thread))
	}
}

// explainProject knows what is wrong with manifests, modules and the way they are run.
func (a *app) explainProject(f *fault, err error) {
	var (
		invalid *workflow.Invalid
		version *host.NotInVersionError
		changed *host.GraphChangedError
		exists  *host.ExistsError
		ended   *host.FinishedError
		upgrade *host.UpgradeError
		large   *host.InputTooLargeError
		refused *host.Error
		path    *fs.PathError
		scheme  *host.SchemeError
		load    *guest.LoadError
	)
	switch {
	case errors.As(err, &invalid):
		f.Exit = exitUsage
		f.Error, f.Details = invalidText(invalid)
	case errors.As(err, &version):
		f.Exit = exitUsage
		f.Error, f.Details = "manifest: uses what is not in this version", faultLines(version.Faults)
	case errors.As(err, &changed):
		f.Exit = exitUsage
		f.Details = changed.Diff
		f.Error = fmt.Sprintf("thread %q: %s is not the manifest that it was started with", changed.Thread, a.scene.manifest)
		f.hint("go on as it was started: %s", a.command("resume", "--pinned", changed.Thread, a.scene.manifest))
		f.hint("go on with this manifest: %s", a.command("resume", "--upgrade", changed.Thread, a.scene.manifest))
	case errors.As(err, &upgrade):
		f.Exit = exitUsage
		f.hint("go on as it was started: %s", a.command("resume", "--pinned", upgrade.Thread))
	case errors.Is(err, host.ErrNoQuestion), errors.Is(err, host.ErrAnswered), errors.Is(err, host.ErrAmbiguous):
		f.Exit = exitUsage
		f.hint("the open questions, and how to answer them: %s", a.command("thread show", "", a.scene.thread))
	case errors.As(err, &exists):
		a.hintExists(f, exists)
	case errors.As(err, &ended) && a.scene.cancelling:
		f.Error = fmt.Sprintf("thread %q: nothing to cancel, it is %s", ended.Thread, ended.Status)
		f.hint("%s", a.command("thread show", "", ended.Thread))
	case errors.As(err, &ended):
		f.hint("start a new turn on it: dashhost run --thread %s%s", quote(ended.Thread), a.storeFlag(a.scene.store))
		f.hint("%s", a.command("thread show", "", ended.Thread))
	case errors.As(err, &large), errors.As(err, &path) && errors.Is(err, fs.ErrNotExist):
		f.Exit = exitUsage
	case errors.As(err, &refused):
		// Nothing was recorded: the input does not fit the manifest.
		f.Exit = exitUsage
		if refused.Hint != "" {
			f.hint("%s", refused.Hint)
		}
	case errors.As(err, &scheme):
		f.Exit = exitUsage
		f.hint("a store is a folder, file:DIR, postgres://USER@HOST/DATABASE or mem:")
	case errors.As(err, &load):
		f.Exit = exitUsage
		if load.Hint != "" {
			f.hint("%s", load.Hint)
		}
	case errors.Is(err, context.Canceled):
		f.Exit, f.Error = exitStopped, "stopped before anything was run"
	}
}

// hintExists says what to do about a thread that cannot be started.
func (a *app) hintExists(f *fault, e *host.ExistsError) {
	switch e.Status {
	case statusRunning:
		f.hint("wait for it: %s", a.command("thread show", "", e.Thread))
	case statusWaiting:
		f.hint("what it waits for, and how to go on: %s", a.command("thread show", "", e.Thread))
	case statusDone, statusCancelled:
		f.hint("leave --if-exists out for a new turn on it, or use another name")
	default:
		f.hint("go on with it: %s", a.command("resume", "", e.Thread))
		f.hint("or say what to do with one that is not done: --if-exists resume, --if-exists skip")
	}
}

// scene is what the command in progress acts on, for messages that name the next command.
type scene struct {
	store      string // URL
	thread     string
	manifest   string
	deleting   bool
	cancelling bool
}

// command is a command line to type next: a command, a flag of it or none, its operands, and what else it needs from here.
func (a *app) command(name, flag string, operands ...string) string {
	if flag != "" {
		flag = " " + flag
	}
	flag += a.storeFlag(a.scene.store)
	line, dashed := "", ""
	for _, o := range operands {
		line += " " + quote(o)
		if strings.HasPrefix(o, "-") {
			dashed = " --" // or it would be taken for a flag
		}
	}
	if dashed != "" {
		return "dashhost " + name + flag + dashed + line
	}
	return "dashhost " + name + line + flag
}
