package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// AttrLoss is the attribute of a thread that went on over damage: one line that says what was given up, the newest time.
const AttrLoss = "accepted_loss"

// Loss is what a claim with ClaimOptions.AcceptLoss gave up.
type Loss struct {
	Places     []LostPlace `json:"places"`         // what could not be read, the first maxPlaces of it
	More       int         `json:"more,omitempty"` // how many places there are beyond
	Namespaces []LostSteps `json:"namespaces"`
	Store      string      `json:"store,omitempty"` // id of the store in which it was: elsewhere its places mean nothing
}

// LostPlace is a damaged place of the store.
type LostPlace struct {
	File    string `json:"file"`
	Offset  int64  `json:"offset"`
	Length  int64  `json:"length,omitempty"` // 0 if it is not known
	Record  uint64 `json:"record,omitempty"` // sequence number of what stood there, 0 if that is not known
	Reason  string `json:"reason"`
	Suspect bool   `json:"suspect,omitempty"` // it may have held records of the thread, or not
}

// LostSteps says where a namespace went on.
type LostSteps struct {
	Namespace string `json:"namespace"`
	From      string `json:"from"`             // the newest complete step
	Steps     int    `json:"incomplete_steps"` // later ones that can be read, and continue one that cannot
}

// maxPlaces is how many damaged places a Loss names.
const maxPlaces = 64

// Loss returns what the record, a claim, gave up; nil for any other record.
func (r *Record) Loss() (*Loss, error) {
	if r.Kind != KindClaim || !r.AcceptLoss {
		return nil, nil
	}
	l := &Loss{}
	if err := json.Unmarshal(r.Meta, l); err != nil {
		return nil, fmt.Errorf("thread %q: record %d: what was lost: %w", r.Thread, r.Seq, err)
	}
	return l, nil
}

// String is the loss in one line.
func (l *Loss) String() string {
	var parts []string
	if len(l.Places) > 0 {
		p := l.Places[0]
		word := "damaged"
		if p.Suspect {
			word = "suspect"
		}
		text := fmt.Sprintf("%s: %s offset %d: %s", word, p.File, p.Offset, p.Reason)
		if more := len(l.Places) - 1 + l.More; more > 0 {
			text += fmt.Sprintf(", and %d more places", more)
		}
		parts = append(parts, text)
	}
	for _, n := range l.Namespaces {
		where := ""
		if n.Namespace != "" {
			where = fmt.Sprintf(" in %q", n.Namespace)
		}
		text := fmt.Sprintf("went on from %s%s", n.From, where)
		if n.Steps > 0 {
			text += fmt.Sprintf(", %d later steps are incomplete", n.Steps)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// givenUp is what the claims of a thread have given up.
type givenUp struct {
	places []LostPlace
	more   bool // than places says
}

// givenUp reads what the claims of a thread have given up. A claim that cannot be read gave up nothing that is known.
func (s *Store) givenUp(ctx context.Context, thread string) (*givenUp, error) {
	g := &givenUp{}
	t, err := s.d.Thread(ctx, thread)
	if err != nil || t.Accepted == 0 {
		return g, nil // an error comes again, with the records
	}
	for r, err := range s.read(ctx, thread, driver.Query{Kinds: driver.Kinds(KindClaim), To: t.Accepted}) {
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		l, err := r.Loss()
		if err != nil {
			return nil, err
		}
		if id, _ := s.ID(); l != nil && l.Store == id {
			g.places = append(g.places, l.Places...)
			g.more = g.more || l.More > 0
		}
	}
	return g, nil
}

// has says whether err is damage that was given up.
func (g *givenUp) has(err error) bool {
	var d *DamageError
	if !errors.As(err, &d) {
		return false
	}
	return g.more && d.Accepted || slices.ContainsFunc(g.places, func(p LostPlace) bool {
		return p.Record == d.Record && d.Record != 0 ||
			p.File == d.File && p.File != "" && d.Offset >= p.Offset && d.Offset < p.Offset+max(p.Length, 1)
	})
}

// examine reads a whole thread and returns what is damaged and was not given up yet, oldest first.
func (s *Store) examine(ctx context.Context, t *driver.Thread) ([]*DamageError, error) {
	given, err := s.givenUp(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	var found []*DamageError
	add := func(d *DamageError) {
		if !given.has(d) && !slices.ContainsFunc(found, func(f *DamageError) bool {
			return f.File == d.File && f.Offset == d.Offset && (d.File != "" || f.Record == d.Record)
		}) {
			found = append(found, d)
		}
	}
	for _, err := range s.read(ctx, t.Name, driver.Query{AllNamespaces: true}) {
		var d *DamageError
		if errors.As(err, &d) {
			add(d)
		} else if err != nil {
			return nil, err
		}
	}
	if t.Damage != nil {
		add(damage(t.Name, t.Damage, ""))
	}
	return found, nil
}

// newestComplete is the newest step of ns whose whole chain can be read, nil if there is none, and how many readable steps after
// it have a broken chain.
func (s *Store) newestComplete(ctx context.Context, thread, ns string) (at *position, lost int, err error) {
	ids, err := s.whole(ctx, thread, ns)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range slices.Backward(ids) {
		if id != "" {
			at, err := s.stateAt(ctx, thread, ns, id)
			if !errors.Is(err, ErrDamaged) {
				return at, lost, err
			}
		}
		lost++
	}
	return nil, lost, nil
}

// whole returns the steps of ns that can be read, oldest first, with "" for each whose chain cannot be read to its end.
func (s *Store) whole(ctx context.Context, thread, ns string) (ids []string, err error) {
	parents := map[string]string{}
	whole := map[string]bool{"": true}
	q := driver.Query{Namespace: ns, Kinds: driver.Kinds(KindStep, KindSnapshot)}
	for r, err := range s.read(ctx, thread, q) {
		switch {
		case errors.Is(err, ErrDamaged):
		case err != nil:
			return nil, err
		case r.Kind == KindSnapshot:
			whole[r.ID] = true
		default:
			parents[r.ID] = r.Parent
			ids = append(ids, r.ID)
			whole[r.ID] = whole[r.ID] || whole[r.Parent]
		}
	}
	// A snapshot may stand after the step it folds up to, and make steps whole that were read before it: once more.
	for i, id := range ids {
		if whole[id] = whole[id] || whole[parents[id]]; !whole[id] {
			ids[i] = ""
		}
	}
	return ids, nil
}

// acceptLoss returns the records that go on over damage: the claim with the Loss in its Meta, and for each namespace a step that
// continues the newest complete one, with its Meta and Parts and the attribute source=accepted_loss. Without damage it is the claim.
func (s *Store) acceptLoss(ctx context.Context, t *driver.Thread, claim *Record) ([]*Record, error) {
	found, err := s.examine(ctx, t)
	if err != nil {
		return nil, err
	}
	recs := []*Record{claim}
	if len(found) == 0 {
		return recs, nil
	}
	claim.AcceptLoss = true
	id, _ := s.ID()
	what := Loss{Store: id, Places: []LostPlace{}, Namespaces: []LostSteps{}, More: max(len(found)-maxPlaces, 0)}
	for _, d := range found[:min(len(found), maxPlaces)] {
		what.Places = append(what.Places, LostPlace{File: d.File, Offset: d.Offset, Length: d.Length, Record: d.Record, Reason: d.Reason, Suspect: d.Suspect})
	}
	for _, h := range t.Heads {
		at, lost, err := s.newestComplete(ctx, t.Name, h.Namespace)
		if err != nil {
			return nil, err
		}
		if at == nil {
			own := *found[0]
			own.Gone, own.Lost = true, fmt.Sprintf("no complete step of namespace %q is left to go on from", h.Namespace)
			return nil, &own
		}
		recs = append(recs, s.goOn(t, h, at)...)
		what.Namespaces = append(what.Namespaces, LostSteps{h.Namespace, at.step.ID, lost})
	}
	if claim.Meta, err = json.Marshal(what); err != nil {
		return nil, err
	}
	claim.Attrs = []Attr{{Name: AttrLoss, Value: clip(what.String(), MaxAttrValue)}}
	s.log.Info("going on over damage", "thread", t.Name, "loss", what.String())
	return recs, nil
}

// goOn is a step that stands where at does, and a snapshot of it, so that nothing before is read to fold it.
func (s *Store) goOn(t *driver.Thread, head driver.Head, at *position) []*Record {
	step := &Record{
		Kind: KindStep, Namespace: head.Namespace, ID: NewID(s.now(), max(head.ID, t.MinID)), Parent: at.step.ID, AcceptLoss: true,
		Due: at.step.Due, Meta: at.step.Meta, Parts: at.step.Parts,
	}
	for _, a := range at.step.Attrs {
		if a.Name != attrSource {
			step.Attrs = append(step.Attrs, a)
		}
	}
	step.Attrs = append(step.Attrs, Attr{Name: attrSource, Value: "accepted_loss"})
	return []*Record{{Kind: KindSnapshot, Namespace: head.Namespace, ID: at.step.ID, Ops: at.state.puts(), AcceptLoss: true}, step}
}

// attrSource says what made a step.
const attrSource = "source"

// clip shortens s to at most limit bytes of whole characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
