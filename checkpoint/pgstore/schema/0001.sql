-- Version 1. {{schema}} is replaced by the quoted name of the store's schema.
-- Names are bytea: compared by bytes whatever the collation of the database, and kept whatever its encoding.

CREATE TABLE {{schema}}.store (
	single      boolean PRIMARY KEY DEFAULT true CHECK (single),
	id          bytea NOT NULL,              -- 16 random bytes, made with the store
	incarnation bigint NOT NULL DEFAULT 1    -- raised by each restore
);

-- Sequence numbers of records. Drawn under the log lock only, so that their order is that of the commits.
CREATE SEQUENCE {{schema}}.log START 1;

-- Emptied by the server when it recovers from a crash, as every unlogged table: see append.
CREATE UNLOGGED TABLE {{schema}}.life (since timestamptz NOT NULL DEFAULT now());
INSERT INTO {{schema}}.life DEFAULT VALUES;

CREATE TABLE {{schema}}.threads (
	name          bytea PRIMARY KEY,
	version       bigint NOT NULL,   -- one more with each change of the row
	prior         bigint NOT NULL,   -- last_seq before the newest append
	epoch         bigint NOT NULL,
	claimed       boolean NOT NULL,
	owner         bytea NOT NULL,
	deleted       boolean NOT NULL,
	min_id        bytea NOT NULL,
	attrs         bytea NOT NULL,    -- as those of records, sorted by name
	due           bigint NOT NULL,
	created       bigint NOT NULL,
	updated       bigint NOT NULL,
	records       bigint NOT NULL,   -- of the present generation
	events        bigint NOT NULL,
	last_seq      bigint NOT NULL,
	cancel        bigint NOT NULL,
	accepted      bigint NOT NULL,
	ordinal       bigint NOT NULL,   -- of the newest record
	first_seq     bigint NOT NULL,   -- records with a lesser seq are of generations before
	dropped       bigint NOT NULL,   -- records with a lesser seq were dropped, but for what driver.Driver.Drop keeps
	first_ordinal bigint NOT NULL    -- of the first record, there or to come, from the greater of these two on
) WITH (fillfactor = 70);
CREATE INDEX threads_due ON {{schema}}.threads (due, name) WHERE due > 0;

CREATE TABLE {{schema}}.heads (
	thread      bytea NOT NULL,
	namespace   bytea NOT NULL,
	id          bytea NOT NULL,
	seq         bigint NOT NULL,
	first_event bigint NOT NULL,
	epoch       bigint NOT NULL,
	PRIMARY KEY (thread, namespace)
) WITH (fillfactor = 70);

CREATE TABLE {{schema}}.records (
	thread      bytea NOT NULL,
	seq         bigint NOT NULL,
	ordinal     bigint NOT NULL,
	epoch       bigint NOT NULL,
	first_event bigint NOT NULL,
	kind        smallint NOT NULL,
	namespace   bytea NOT NULL,
	id          bytea NOT NULL,
	parent      bytea NOT NULL,
	task        bytea NOT NULL,
	owner       bytea NOT NULL,
	attrs       bytea NOT NULL,
	time        bigint NOT NULL,
	due         bigint NOT NULL,
	events      bigint NOT NULL,
	flags       integer NOT NULL,
	codec       smallint NOT NULL,
	size        bigint NOT NULL,
	sum         bigint NOT NULL,     -- CRC32C of all other columns
	body        bytea NOT NULL,
	PRIMARY KEY (thread, seq)
);
ALTER TABLE {{schema}}.records ALTER body SET STORAGE EXTERNAL; -- compressed or encrypted before

CREATE TABLE {{schema}}.owners (
	id          bytea PRIMARY KEY,
	pid         bigint NOT NULL,
	host        bytea NOT NULL,
	boot        bytea NOT NULL,
	text        bytea NOT NULL,
	lease_until timestamptz NOT NULL
);

-- unwanted says of a record of a thread's present generation whether it was dropped.
CREATE FUNCTION {{schema}}.unwanted(r {{schema}}.records, dropped bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT r.seq < dropped AND r.seq < coalesce(CASE
		WHEN (1 << r.kind) & {{thread_kinds}} <> 0 THEN (SELECT min(h.seq) FROM {{schema}}.heads h WHERE h.thread = r.thread)
		ELSE (SELECT h.seq FROM {{schema}}.heads h WHERE h.thread = r.thread AND h.namespace = r.namespace) END, 0)
$$;

-- recount sets how many records a thread, which the caller has locked, has left after a drop.
CREATE FUNCTION {{schema}}.recount(name_ bytea) RETURNS void LANGUAGE sql AS $$
	UPDATE {{schema}}.threads t SET records = (SELECT count(*) FROM {{schema}}.records r
		WHERE r.thread = name_ AND r.seq >= t.first_seq AND NOT {{schema}}.unwanted(r, t.dropped))
	WHERE t.name = name_
$$;

-- append writes what a client has decided, and returns the number that the first record would have with offset 0: numbers from
-- 2^62 on are offsets to it. It refuses everything if a thread has been changed since the client has seen it.
--
-- From the log lock to the end of the transaction nobody else commits an append, so seq grows in the order of commits. The
-- transaction does not wait for the disk: others take the lock while it is on its way there. The client waits with flush.
CREATE FUNCTION {{schema}}.append(
	t_name bytea[], t_version bigint[], t_prior bigint[], t_epoch bigint[], t_claimed boolean[], t_owner bytea[], t_deleted boolean[],
	t_min_id bytea[], t_attrs bytea[], t_due bigint[], t_created bigint[], t_updated bigint[], t_records bigint[],
	t_events bigint[], t_last_seq bigint[], t_cancel bigint[], t_accepted bigint[], t_ordinal bigint[],
	t_first_seq bigint[], t_dropped bigint[], t_first_ordinal bigint[],
	ended bytea[], moved bytea[],
	h_thread bytea[], h_namespace bytea[], h_id bytea[], h_seq bigint[], h_first_event bigint[], h_epoch bigint[],
	r_thread bytea[], r_seq bigint[], r_ordinal bigint[], r_epoch bigint[], r_first_event bigint[], r_kind smallint[],
	r_namespace bytea[], r_id bytea[], r_parent bytea[], r_task bytea[], r_owner bytea[], r_attrs bytea[], r_time bigint[],
	r_due bigint[], r_events bigint[], r_flags integer[], r_codec smallint[], r_size bigint[], r_sum bigint[], r_body bytea[],
	staged bigint -- that many records of an import are in the temporary table staged
) RETURNS bigint LANGUAGE plpgsql
	-- All is found by keys, whatever the arrays hold: planning again for each call costs more than the call.
	SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	mark CONSTANT bigint := 4611686018427387904;
	base bigint;
	done bigint;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	-- Threads before the log, and in order: nobody waits for a thread and keeps all others waiting.
	PERFORM FROM {{schema}}.threads t WHERE t.name = ANY (t_name) ORDER BY t.name FOR UPDATE;
	PERFORM pg_advisory_xact_lock('{{schema}}.log'::regclass::oid::int, 0);
	base := nextval('{{schema}}.log');
	IF NOT EXISTS (SELECT FROM {{schema}}.life) THEN
		-- The server crashed. Appends that were seen and not durable may be gone: their numbers are not given out again.
		INSERT INTO {{schema}}.life DEFAULT VALUES;
		base := base + 4294967296;
	END IF;
	PERFORM setval('{{schema}}.log', base + cardinality(r_seq) + staged - 1);

	INSERT INTO {{schema}}.threads AS t
	SELECT v.name, v.version, v.prior, v.epoch, v.claimed, v.owner, v.deleted, v.min_id, v.attrs, v.due, v.created, v.updated, v.records, v.events,
		CASE WHEN v.last_seq >= mark THEN v.last_seq - mark + base ELSE v.last_seq END,
		CASE WHEN v.cancel >= mark THEN v.cancel - mark + base ELSE v.cancel END,
		CASE WHEN v.accepted >= mark THEN v.accepted - mark + base ELSE v.accepted END,
		v.ordinal,
		CASE WHEN v.first_seq >= mark THEN v.first_seq - mark + base ELSE v.first_seq END,
		v.dropped, v.first_ordinal
	FROM unnest(t_name, t_version, t_prior, t_epoch, t_claimed, t_owner, t_deleted, t_min_id, t_attrs, t_due, t_created, t_updated, t_records,
		t_events, t_last_seq, t_cancel, t_accepted, t_ordinal, t_first_seq, t_dropped, t_first_ordinal)
		AS v (name, version, prior, epoch, claimed, owner, deleted, min_id, attrs, due, created, updated, records,
		events, last_seq, cancel, accepted, ordinal, first_seq, dropped, first_ordinal)
	ON CONFLICT (name) DO UPDATE SET
		version = EXCLUDED.version, prior = EXCLUDED.prior, epoch = EXCLUDED.epoch, claimed = EXCLUDED.claimed, owner = EXCLUDED.owner,
		deleted = EXCLUDED.deleted, min_id = EXCLUDED.min_id, attrs = EXCLUDED.attrs, due = EXCLUDED.due, created = EXCLUDED.created,
		updated = EXCLUDED.updated, records = EXCLUDED.records, events = EXCLUDED.events, last_seq = EXCLUDED.last_seq,
		cancel = EXCLUDED.cancel, accepted = EXCLUDED.accepted, ordinal = EXCLUDED.ordinal, first_seq = EXCLUDED.first_seq,
		dropped = EXCLUDED.dropped, first_ordinal = EXCLUDED.first_ordinal
	WHERE t.version = EXCLUDED.version - 1 AND t.last_seq = EXCLUDED.prior;
	GET DIAGNOSTICS done = ROW_COUNT;
	IF done <> cardinality(t_name) THEN
		RAISE EXCEPTION 'a thread was changed by somebody else' USING ERRCODE = 'DH001';
	END IF;

	IF cardinality(ended) > 0 THEN
		DELETE FROM {{schema}}.heads WHERE thread = ANY (ended);
	END IF;
	INSERT INTO {{schema}}.heads
	SELECT v.thread, v.namespace, v.id, v.seq - mark + base, v.first_event, v.epoch
	FROM unnest(h_thread, h_namespace, h_id, h_seq, h_first_event, h_epoch) AS v (thread, namespace, id, seq, first_event, epoch)
	ON CONFLICT (thread, namespace) DO UPDATE SET
		id = EXCLUDED.id, seq = EXCLUDED.seq, first_event = EXCLUDED.first_event, epoch = EXCLUDED.epoch;

	INSERT INTO {{schema}}.records
	SELECT v.thread, v.seq - mark + base, v.ordinal, v.epoch, v.first_event, v.kind, v.namespace, v.id, v.parent, v.task, v.owner,
		v.attrs, v.time, v.due, v.events, v.flags, v.codec, v.size, v.sum # ((v.seq - mark + base) & 4294967295), v.body
	FROM unnest(r_thread, r_seq, r_ordinal, r_epoch, r_first_event, r_kind, r_namespace, r_id, r_parent, r_task, r_owner, r_attrs,
		r_time, r_due, r_events, r_flags, r_codec, r_size, r_sum, r_body)
		AS v (thread, seq, ordinal, epoch, first_event, kind, namespace, id, parent, task, owner, attrs,
		time, due, events, flags, codec, size, sum, body);
	IF staged > 0 THEN
		EXECUTE 'INSERT INTO {{schema}}.records SELECT thread, seq - $1 + $2, ordinal, epoch, first_event, kind, namespace, id, parent, task,
			owner, attrs, time, due, events, flags, codec, size, sum # ((seq - $1 + $2) & 4294967295), body FROM pg_temp.staged' USING mark, base;
	END IF;
	IF cardinality(moved) > 0 THEN -- a head that was kept when all around it was dropped is one no more
		PERFORM {{schema}}.recount(name) FROM unnest(moved) AS v (name);
	END IF;
	RETURN base;
END
$$;

-- flush returns in a transaction whose commit waits until all that was committed before is durable. What the session says of
-- synchronous_commit counts, except off.
CREATE FUNCTION {{schema}}.flush() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM set_config('synchronous_commit', 'on', true);
	END IF;
	PERFORM pg_logical_emit_message(true, 'dashhost', '');
END
$$;
