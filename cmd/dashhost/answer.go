package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// maxAnswer is how many bytes an answer, or the values of an update, may have.
const maxAnswer = 64 << 20

// answerID is what an answer may begin with; no JSON value begins so.
var answerID = regexp.MustCompile(`^([0-9A-Za-z_-]+)=`)

// readAnswers makes answers of what --answer was given: [ID=]J, [ID=]@FILE or [ID=]-.
func (a *app) readAnswers(ctx context.Context, given []string) ([]host.Answer, error) {
	if err := oneStdin("--answer", given, func(s string) string { return s[len(answerID.FindString(s)):] }); err != nil {
		return nil, err
	}
	var answers []host.Answer
	ids := map[string]bool{}
	for _, s := range given {
		id := strings.TrimSuffix(answerID.FindString(s), "=")
		if ids[id] {
			if id == "" {
				return nil, &usageError{Text: "--answer: two without an id", Hints: []string{"say which question each is for: --answer ID=JSON"}}
			}
			return nil, &usageError{Text: "--answer " + id + ": given twice"}
		}
		ids[id] = true
		value, err := a.readValue(ctx, "answer", s[len(answerID.FindString(s)):])
		if err != nil {
			return nil, err
		}
		answers = append(answers, host.Answer{ID: id, Value: value})
	}
	return answers, nil
}

// oneStdin refuses a flag that asks for stdin more than once.
func oneStdin(flag string, given []string, value func(string) string) error {
	n := 0
	for _, s := range given {
		if value(s) == "-" {
			n++
		}
	}
	if n > 1 {
		return &usageError{Text: flag + ": stdin is asked for twice", Hints: []string{"give one of them as a file: @FILE"}}
	}
	return nil
}

// readValue is a JSON value of the command line: the value itself, @FILE, or - for stdin.
func (a *app) readValue(ctx context.Context, what, s string) ([]byte, error) {
	from := what
	b := []byte(s)
	var err error
	switch file, isFile := strings.CutPrefix(s, "@"); {
	case s == "":
		return nil, &usageError{Text: what + ": the value is empty", Hints: []string{`a JSON value, for example true or '{"a": 1}'`}}
	case s == "-":
		from += ": stdin"
		b, err = a.readFile(ctx, what, "-", maxAnswer)
	case isFile:
		from += ": " + file
		b, err = a.readFile(ctx, what, file, maxAnswer)
	}
	if err != nil {
		return nil, err
	}
	if err := checkJSON(b); err != nil {
		return nil, &usageError{Text: from + ": not JSON: " + err.Error(), Hints: []string{`a text needs its quotes: '"yes"'`}}
	}
	return b, nil
}

// checkJSON says why b is not one JSON value.
func checkJSON(b []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(b, &raw)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%s, at byte %d", strings.TrimPrefix(syntax.Error(), "json: "), syntax.Offset)
	}
	return err
}

// completeIDs makes whole ids of beginnings that only one open question has. What fits none is left for the host to refuse.
func completeIDs(ctx context.Context, s *checkpoint.Store, thread string, answers []host.Answer) error {
	if len(answers) == 0 {
		return nil
	}
	open, err := host.Questions(ctx, s, thread)
	if err != nil && !errors.Is(err, checkpoint.ErrDamaged) { // what is to be done about damage, the resume knows
		return err
	}
	for i := range answers {
		var fits []string
		for _, q := range open {
			if answers[i].ID != "" && strings.HasPrefix(q.ID, answers[i].ID) {
				fits = append(fits, q.ID)
			}
		}
		switch {
		case len(fits) == 1:
			answers[i].ID = fits[0]
		case len(fits) > 1:
			return &usageError{Text: "--answer " + answers[i].ID + ": several questions begin so: " + strings.Join(fits, ", ")}
		}
	}
	return nil
}
