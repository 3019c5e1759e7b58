package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Drop implements driver.Driver. Nobody reads the rows from then on; Prune deletes them.
func (s *store) Drop(ctx context.Context, thread string, below uint64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return driver.ErrReadOnly
	}
	found := false
	err := s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, s.sql("SELECT count(*) > 0 FROM (SELECT FROM {{schema}}.threads WHERE name = $1 AND NOT deleted FOR UPDATE) t"), []byte(thread)).Scan(&found); err != nil || !found {
				return err
			}
			tag, err := tx.Exec(ctx, s.sql(`UPDATE {{schema}}.threads t SET version = version + 1, dropped = $2, first_ordinal = coalesce(
					(SELECT r.ordinal FROM {{schema}}.records r WHERE r.thread = $1 AND r.seq >= $2 AND r.seq >= t.first_seq ORDER BY r.seq LIMIT 1), t.ordinal + 1)
				WHERE t.name = $1 AND t.dropped < $2`), []byte(thread), clamp(below))
			if err != nil || tag.RowsAffected() == 0 {
				return err
			}
			_, err = tx.Exec(ctx, s.sql("SELECT {{schema}}.recount($1)"), []byte(thread))
			return err
		})
	})
	if err == nil && !found {
		return driver.ErrNotFound
	}
	return err
}
