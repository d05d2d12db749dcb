-- The tables and functions of a log in PostgreSQL, one schema for each log; @ stands for its name.
-- What the tables are is told in docs/log-format.md; they are those of SQLite, and `gate`, `head` and `claims`.

CREATE TABLE @.about (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);

-- Locked first by all that writes, and otherwise empty: so nothing that cleans tables up is ever in the way.
CREATE TABLE @.gate ();

-- One row: how the log ends, and what a program must know to read it and to write to it. It is updated by each append, so its page has room for many versions of it.
CREATE TABLE @.head (
    log text NOT NULL, position bigint NOT NULL, time bigint NOT NULL, clock bigint NOT NULL, hash bytea NOT NULL,
    token bigint NOT NULL, format int NOT NULL, program text NOT NULL, reads text[] NOT NULL, writes text[] NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE @.records (
    position bigint PRIMARY KEY, time bigint NOT NULL, type text COLLATE "C" NOT NULL, body bytea NOT NULL,
    hash bytea, cause bigint, clock bigint, run text, request text COLLATE "C"
);
CREATE INDEX caused ON @.records (cause, position) WHERE cause IS NOT NULL;
CREATE UNIQUE INDEX requested ON @.records (request) WHERE request IS NOT NULL;

CREATE TABLE @.stretches (first bigint PRIMARY KEY, format int NOT NULL, program text NOT NULL);
CREATE TABLE @.segments (first bigint PRIMARY KEY, low bigint NOT NULL);

CREATE TABLE @.present (address text COLLATE "C" PRIMARY KEY, since bigint NOT NULL, body bytea);
CREATE TABLE @.past (
    address text COLLATE "C", since bigint, until bigint NOT NULL, body bytea, PRIMARY KEY (address, since)
);

CREATE TABLE @.open (
    position bigint PRIMARY KEY, run text NOT NULL, process text NOT NULL, actor text NOT NULL,
    claims text[] NOT NULL, held boolean NOT NULL, late boolean NOT NULL, waits bigint
);
CREATE TABLE @.claims (address text COLLATE "C", position bigint, PRIMARY KEY (address, position));
CREATE INDEX claimed ON @.claims (position);

CREATE TABLE @.leases (
    run text COLLATE "C" PRIMARY KEY, token bigint NOT NULL UNIQUE, holder text NOT NULL, beat bigint NOT NULL,
    request text NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE @.met (machine text COLLATE "C" PRIMARY KEY, since bigint NOT NULL, body bytea NOT NULL);
CREATE TABLE @.heads (
    position bigint, signer text COLLATE "C", hash bytea NOT NULL, time bigint NOT NULL, signature bytea NOT NULL,
    PRIMARY KEY (position, signer)
);

-- The clock of the server, in microseconds since 1970 UTC. Tests give another, as the owner: from who may only
-- call the functions below, none is taken.
CREATE FUNCTION @.now(told bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(
        CASE WHEN session_user = current_user THEN told END,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    )
$$;

-- Record, once, that a program must know a word from a position on, to `read` or to `write`.
CREATE FUNCTION @.use(side text, word text, first bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE @.head SET reads = array_append(reads, word) WHERE side = 'read' AND word <> ALL (reads);
    UPDATE @.head SET writes = array_append(writes, word) WHERE side = 'write' AND word <> ALL (writes);
    INSERT INTO @.about VALUES (word || ' since', first::text) ON CONFLICT DO NOTHING
$$;

-- Refuse what is written by one who was fenced off, or of a command that another is at (`core/lease.py`).
CREATE FUNCTION @.check_leases(first bigint, run text, holder text, runs text[], tokens bigint[], more jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE other record;
BEGIN
    IF run <> '' AND EXISTS (
        SELECT FROM @.leases l WHERE l.run = check_leases.run
        AND l.token IS DISTINCT FROM tokens[array_position(runs, l.run)]
    ) OR run <> '' AND holder = '' AND array_position(runs, run) IS NOT NULL AND NOT EXISTS (
        SELECT FROM @.leases l WHERE l.run = check_leases.run
    ) THEN
        RAISE EXCEPTION USING ERRCODE = CASE holder WHEN '' THEN 'LC001' ELSE 'LC002' END,
            MESSAGE = 'the lease is not yours', DETAIL = jsonb_build_object('run', run)::text;
    END IF;
    IF more ?| '{commands,batches}' THEN
        SELECT s.command, o.position IS NULL AS over INTO other FROM (
            SELECT value::bigint AS command, false AS finished FROM jsonb_array_elements_text(more -> 'commands')
            UNION ALL
            SELECT r.cause, true FROM jsonb_array_elements_text(more -> 'batches')
            JOIN @.records r ON r.position = value::bigint
        ) s LEFT JOIN @.open o ON o.position = s.command
        WHERE s.command < first AND (
            o.position IS NULL AND NOT s.finished
            OR NOT o.held AND NOT o.late AND EXISTS (
                SELECT FROM @.leases l WHERE l.run = o.run
                AND l.token IS DISTINCT FROM tokens[array_position(runs, l.run)]
            )
        ) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = CASE WHEN other.over THEN 'LC003' ELSE 'LC004' END,
                MESSAGE = 'the command is not yours', DETAIL = jsonb_build_object('command', other.command)::text;
        END IF;
    END IF;
END $$;

-- Refuse what was decided on something that moved since, of addresses and of batches (`core/fold.py`).
CREATE FUNCTION @.check_seen(more jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE other record;
BEGIN
    SELECT e.key AS address, coalesce(p.since, 0) AS now INTO other
    FROM jsonb_each_text(more -> 'expect') e LEFT JOIN @.present p ON p.address = e.key
    WHERE coalesce(p.since, 0) <> e.value::bigint LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'LC005', MESSAGE = 'the address moved', DETAIL = row_to_json(other)::text;
    END IF;
    SELECT e.key::bigint AS batch INTO other FROM jsonb_each_text(more -> 'seen') e
    WHERE coalesce((SELECT max(r.position) FROM @.records r WHERE r.cause = e.key::bigint), 0) <> e.value::bigint
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'LC006', MESSAGE = 'the batch moved', DETAIL = row_to_json(other)::text;
    END IF;
END $$;

-- Refuse what claims or changes what a command of another run is at work on (`core/fold.py`).
CREATE FUNCTION @.check_claims(addresses text[], commands bigint[], more jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE other record;
BEGIN
    SELECT w.value ->> 1 AS claim, o.* INTO other FROM jsonb_array_elements(more -> 'wanted') w
    JOIN @.claims c ON c.address = w.value ->> 0 JOIN @.open o ON o.position = c.position
    WHERE o.run <> w.value ->> 2 LIMIT 1;
    IF NOT FOUND AND addresses IS NOT NULL THEN
        SELECT p.address AS claim, o.* INTO other FROM unnest(addresses, commands) AS p (address, command)
        JOIN @.claims c ON c.address = p.address JOIN @.open o ON o.position = c.position
        LEFT JOIN @.open own ON own.position = p.command
        WHERE NOT o.held AND NOT o.late AND o.waits IS NULL AND CASE
            WHEN own.position IS NOT NULL THEN o.run <> own.run
            ELSE NOT EXISTS (
                SELECT FROM jsonb_array_elements(more -> 'opened') a
                WHERE a.value ->> 'run' = o.run AND NOT (a.value ->> 'late')::boolean
            )
        END LIMIT 1;
    END IF;
    IF other.claim IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'LC007', MESSAGE = 'the address is claimed',
            DETAIL = row_to_json(other)::text;
    END IF;
END $$;

-- Write records and what binds them to those before; return the hash (docs/log-format.md, "The chain").
CREATE FUNCTION @.write(
    h @.head, told bigint, program text, run text, request text, types text[], bodies bytea[], causes bigint[]
) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    latest bigint := greatest(told, h.time);
    count int := cardinality(types);
    digest bytea;
BEGIN
    SELECT sha256(
        h.hash
        || convert_to(
            '[' || to_json(h.log) || ',' || told || ',' || to_json(program) || ',' || to_json(run) || ','
            || to_json(request) || ']['
            || string_agg(
                '[' || h.position + e.n || ',' || latest || ',' || to_json(e.type) || ',' || length(e.body) || ']',
                ',' ORDER BY e.n
            ) || ']', 'UTF8')
        || string_agg(e.body, '' ORDER BY e.n)
    ) INTO digest FROM unnest(types, bodies) WITH ORDINALITY AS e (type, body, n);
    INSERT INTO @.records (position, time, type, body, hash, cause, clock, run, request)
    SELECT h.position + e.n, latest, e.type, e.body, CASE e.n WHEN count THEN digest END, e.cause,
        nullif(told, latest), CASE e.n WHEN 1 THEN nullif(write.run, '') END,
        CASE e.n WHEN 1 THEN nullif(write.request, '') END
    FROM unnest(types, bodies, causes) WITH ORDINALITY AS e (type, body, cause, n);
    IF (h.format, h.program) IS DISTINCT FROM (@format@, program) THEN
        INSERT INTO @.stretches VALUES (h.position + 1, @format@, program);
    END IF;
    IF told < h.clock THEN
        INSERT INTO @.segments VALUES (h.position + 1, told);
    END IF;
    UPDATE @.head SET position = h.position + count, time = latest, clock = told, hash = digest, format = @format@,
        program = write.program;
    RETURN digest;
END $$;

-- Bring the tables up to date with entries, of which the first stands at a position.
CREATE FUNCTION @.take_in(first bigint, puts int[], addresses text[], states bytea[], more jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF addresses IS NOT NULL THEN
        -- Of several versions of one address only the last is present: `until` is where the next begins.
        WITH v AS MATERIALIZED (
            SELECT p.address, first + p.at AS since, p.body,
                lead(first + p.at) OVER w AS until, row_number() OVER w AS n
            FROM unnest(puts, addresses, states) AS p (at, address, body)
            WINDOW w AS (PARTITION BY p.address ORDER BY p.at)
        ), before AS (
            INSERT INTO @.past SELECT p.address, p.since, v.since, p.body
            FROM v JOIN @.present p ON p.address = v.address WHERE v.n = 1
            UNION ALL SELECT v.address, v.since, v.until, v.body FROM v WHERE v.until IS NOT NULL
        )
        INSERT INTO @.present SELECT v.address, v.since, v.body FROM v WHERE v.until IS NULL
        ON CONFLICT (address) DO UPDATE SET since = excluded.since, body = excluded.body;
    END IF;
    IF more ? 'opened' THEN
        INSERT INTO @.open SELECT first + o.at, o.run, o.process, o.actor, o.claims, o.held, o.late, NULL
        FROM jsonb_to_recordset(more -> 'opened')
            AS o (at int, run text, process text, actor text, claims text[], held boolean, late boolean);
        INSERT INTO @.claims SELECT DISTINCT unnest(o.claims), first + o.at
        FROM jsonb_to_recordset(more -> 'opened') AS o (at int, claims text[]);
    END IF;
    IF more ? 'waits' THEN
        UPDATE @.open SET waits = (w.value ->> 1)::bigint FROM jsonb_array_elements(more -> 'waits') w
        WHERE position = (w.value ->> 0)::bigint;
    END IF;
    IF more ? 'ended' THEN
        DELETE FROM @.open WHERE position IN (SELECT value::bigint FROM jsonb_array_elements_text(more -> 'ended'));
        DELETE FROM @.claims
        WHERE position IN (SELECT value::bigint FROM jsonb_array_elements_text(more -> 'ended'));
    END IF;
    IF more ? 'met' THEN
        INSERT INTO @.met SELECT m.key, first + (m.value ->> 0)::int, convert_to(m.value ->> 1, 'UTF8')
        FROM jsonb_each(more -> 'met') m
        ON CONFLICT (machine) DO UPDATE SET since = excluded.since, body = excluded.body;
    END IF;
    IF more ? 'words' THEN
        PERFORM @.use(w.value ->> 0, w.value ->> 1, first + (w.value ->> 2)::int)
        FROM jsonb_array_elements(more -> 'words') w;
    END IF;
END $$;

-- Give a lease to a holder, whoever had it before; return its token. By its request it is known when that is
-- made again.
CREATE FUNCTION @.give(run text, holder text, told bigint, request text) RETURNS bigint LANGUAGE sql AS $$
    SELECT @.use('write', 'leases', (SELECT position + 1 FROM @.head));
    UPDATE @.head SET token = token + 1;
    INSERT INTO @.leases SELECT give.run, h.token, give.holder, told, give.request FROM @.head h
    ON CONFLICT (run) DO UPDATE SET token = excluded.token, holder = excluded.holder, beat = excluded.beat,
        request = excluded.request
    RETURNING token
$$;

-- Append entries together and return the position of the first, the token of the lease that was taken with
-- them, and the runs whose leases were given back as no command of them is open.
CREATE FUNCTION @.append(
    request text, run text, holder text, program text, told bigint, runs text[], tokens bigint[],
    types text[], bodies bytea[], causes bigint[],
    puts int[], addresses text[], states bytea[], commands bigint[], more jsonb, knows text[],
    OUT first bigint, OUT token bigint, OUT dropped text[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE h @.head;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- Then what is checked below would be what was there before the lock.
        RAISE EXCEPTION USING ERRCODE = 'LC009', MESSAGE = 'append needs the isolation level read committed';
    END IF;
    LOCK TABLE @.gate IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO STRICT h FROM @.head;
    IF EXISTS (SELECT FROM unnest(h.writes) w WHERE w <> ALL (knows)) THEN
        RAISE EXCEPTION USING ERRCODE = 'LC010', MESSAGE = 'the program is too old', DETAIL = (
            SELECT jsonb_build_object('words', string_agg(w, ' ')) FROM unnest(h.writes) w WHERE w <> ALL (knows)
        )::text;
    END IF;
    SELECT r.position INTO first FROM @.records r WHERE r.request = append.request;
    IF FOUND THEN
        SELECT l.token INTO token FROM @.leases l WHERE l.run = append.run AND l.request = append.request;
        RETURN;
    END IF;
    first := h.position + 1;
    told := @.now(told);
    PERFORM @.check_leases(first, run, holder, runs, tokens, more);
    IF more ?| '{expect,seen}' THEN
        PERFORM @.check_seen(more);
    END IF;
    IF EXISTS (SELECT FROM @.claims) THEN
        PERFORM @.check_claims(addresses, commands, more);
    END IF;
    IF types IS NULL THEN
        RETURN;
    END IF;
    PERFORM @.write(h, told, program, run, request, types, bodies, causes);
    PERFORM @.take_in(first, puts, addresses, states, more);
    IF holder <> '' THEN
        token := @.give(run, holder, told, request);
        runs := runs || run;
        tokens := tokens || token;
    END IF;
    IF runs IS NOT NULL THEN
        UPDATE @.leases l SET beat = told FROM unnest(runs, tokens) AS m (run, token)
        WHERE l.run = m.run AND l.token = m.token
        AND EXISTS (SELECT FROM @.open o WHERE o.run = l.run AND NOT o.held AND NOT o.late);
        WITH gone AS (
            DELETE FROM @.leases l USING unnest(runs, tokens) AS m (run, token)
            WHERE l.run = m.run AND l.token = m.token
            AND NOT EXISTS (SELECT FROM @.open o WHERE o.run = l.run AND NOT o.held AND NOT o.late)
            RETURNING l.run
        ) SELECT array_agg(gone.run) INTO dropped FROM gone;
    END IF;
END $$;

-- Take a lease over from who has a token, or take one that nobody has (0); return the new token.
CREATE FUNCTION @.take(run text, holder text, over bigint, told bigint, request text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE before bigint;
BEGIN
    LOCK TABLE @.gate IN SHARE ROW EXCLUSIVE MODE;
    SELECT l.token INTO before FROM @.leases l WHERE l.run = take.run AND l.request = take.request;
    IF FOUND THEN
        RETURN before;
    END IF;
    IF coalesce((SELECT l.token FROM @.leases l WHERE l.run = take.run), 0) <> over THEN
        RAISE EXCEPTION USING ERRCODE = 'LC008', MESSAGE = 'another was faster',
            DETAIL = jsonb_build_object('run', run)::text;
    END IF;
    RETURN @.give(run, holder, @.now(told), request);
END $$;

-- Give a lease back, if it is still held.
CREATE FUNCTION @.release(run text, token bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE @.gate IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM @.leases l WHERE l.run = release.run AND l.token = release.token;
END $$;

-- Record that the holder of leases lives. A beat that is lost harms nobody, so the disk is not waited for.
CREATE FUNCTION @.beat(runs text[], tokens bigint[], told bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT set_config('synchronous_commit', 'off', true);
    UPDATE @.leases l SET beat = @.now(told) FROM unnest(runs, tokens) AS m (run, token)
    WHERE l.run = m.run AND l.token = m.token
$$;

-- Keep a head that somebody signed, in place of one that the same signed there.
CREATE FUNCTION @.sign(at bigint, signer text, hash bytea, told bigint, signature bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO @.heads VALUES (at, signer, hash, told, signature)
    ON CONFLICT (position, signer) DO UPDATE
    SET hash = excluded.hash, time = excluded.time, signature = excluded.signature
$$;

-- Return the last position whose clock is at most a time: by bisection within the last segment that has one.
CREATE FUNCTION @.at(moment bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    least bigint := coalesce((SELECT max(s.first) FROM @.segments s WHERE s.low <= moment), 0);
    most bigint := coalesce(
        (SELECT min(s.first) - 1 FROM @.segments s WHERE s.first > least), (SELECT h.position FROM @.head h)
    );
    middle bigint;
BEGIN
    WHILE least < most LOOP
        middle := (least + most + 1) / 2;
        IF (SELECT coalesce(r.clock, r.time) FROM @.records r WHERE r.position = middle) <= moment THEN
            least := middle;
        ELSE
            most := middle - 1;
        END IF;
    END LOOP;
    RETURN least;
END $$;

-- What follows is for queries, which see nothing else (`logs/postgresql_tables.py`).

-- A time as ISO 8601 in UTC.
CREATE FUNCTION @.iso(micros bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT to_char(to_timestamp(micros / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad((micros % 1000000)::text, 6, '0') || 'Z'
$$;

-- The time of a position.
CREATE FUNCTION @.time_of(at bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT @.iso(coalesce(r.clock, r.time)) FROM @.records r WHERE r.position = at
$$;

-- JSON to take values out of. What PostgreSQL cannot hold in a text, NUL and half a character, is U+FFFD; what
-- is no JSON is NULL, and stands in nobody's way.
CREATE FUNCTION @.doc(told text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN told::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    BEGIN
        RETURN regexp_replace(
            told, '(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\1\\ufffd', 'g'
        )::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;
END $$;

-- A value of an object, as it was written, also where something else in it cannot be held.
CREATE FUNCTION @.part(told text, key text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN nullif((told::json -> key)::text, 'null')::json;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN nullif((@.doc(told) -> key)::text, 'null')::json;
END $$;

-- A value of JSON as a number; what is none, or too large, is NULL.
CREATE FUNCTION @.whole(told jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(told) = 'number' AND abs(told::numeric) < 9223372036854775807
        THEN trunc(told::numeric)::bigint END
$$;
CREATE FUNCTION @.real(told jsonb) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(told) = 'number' AND abs(told::numeric) < 1e308
        THEN told::double precision END
$$;
CREATE FUNCTION @.truth(told jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(told) = 'boolean' THEN told::boolean END
$$;

-- JSON without what is sealed, and, with `texts`, without what might be so in an old log (`core/secret.py`).
CREATE FUNCTION @.hidden(told json, texts boolean) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE json_typeof(told)
        WHEN 'object' THEN
            IF (SELECT count(*) = 1 AND bool_and(k = 'sealed:') FROM json_object_keys(told) k) THEN
                RETURN '"(sealed)"';
            END IF;
            RETURN '{' || coalesce((
                SELECT string_agg(to_json(e.key) || ':' || @.hidden(e.value, texts), ',' ORDER BY e.n)
                FROM json_each(told) WITH ORDINALITY AS e (key, value, n)
            ), '') || '}';
        WHEN 'array' THEN
            RETURN '[' || coalesce((
                SELECT string_agg(@.hidden(e.value, texts), ',' ORDER BY e.n)
                FROM json_array_elements(told) WITH ORDINALITY AS e (value, n)
            ), '') || ']';
        WHEN 'string' THEN
            RETURN CASE WHEN texts AND starts_with(told #>> '{}', 'sealed:') THEN '"(sealed)"' ELSE told::text END;
        ELSE
            RETURN told::text;
    END CASE;
END $$;

-- JSON without its tokens, of what a kind or a command is; what cannot be read is hidden as a whole
-- (`core/sealing.py`). Which fields are secret is told with each query.
CREATE FUNCTION @.veiled(told text, what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    fields jsonb := current_setting('lasercats.schemas')::jsonb -> what;
BEGIN
    IF fields IS NULL OR json_typeof(told::json) <> 'object' THEN
        RETURN @.hidden(told::json, true);
    END IF;
    RETURN '{' || coalesce((
        SELECT string_agg(to_json(e.key) || ':' || CASE
            WHEN fields -> 0 ? e.key AND json_typeof(e.value) <> 'null' THEN '"(sealed)"'
            ELSE @.hidden(e.value, NOT fields -> 1 ? e.key)
        END, ',' ORDER BY e.n) FROM json_each(told::json) WITH ORDINALITY AS e (key, value, n)
    ), '') || '}';
EXCEPTION WHEN OTHERS THEN
    RETURN '"(sealed)"';
END $$;

-- The same, only where it may be needed: a token has the word in it, or an escape that may stand for a letter.
CREATE FUNCTION @.veil(told text, what text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN strpos(told, 'sealed') > 0 OR strpos(told, '\u') > 0
        THEN @.veiled(told, what) ELSE told END::json
$$;

-- Let a role read the log, or also append to it. Only its owner may say so.
CREATE FUNCTION @.admit(role text, writes boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reads text[] := '{at,now,iso,time_of,doc,part,whole,real,truth,hidden,veiled,veil}';
    name text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA @ TO %I', role);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA @ TO %I', role);
    FOREACH name IN ARRAY reads || CASE WHEN writes THEN '{append,take,release,beat,sign}'::text[] END LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION @.%I TO %I', name, role);
    END LOOP;
END $$;

-- A function is everybody's at first; the tables are their owner's alone.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA @ FROM PUBLIC;
