"""Two provinces of one kind, the second ten times the first, for the bench `growth`.

The first is the demo, with one row more of what it has none of. Every organisation but the offices is then copied so often,
with its people, sites, products, shops and listings, and each copy carries its years of steps, batches, movements and sightings;
the demo's own organisations get years too. Only places stay as many. A row's copy has the id of the row and the number of the
copy digested, so that links lead into the same copy, whatever tables and columns the product has.

Rows are read and written by COPY, as the owner: constraints and triggers hold, row-level rules do not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[object, ...]]

# What an organisation is; one copy for each copy of the organisation.
STANDING = (
    *("people", "personal_data", "organisations", "memberships", "household_memberships", "consents", "credentials"),
    *("cards", "devices", "sign_ins", "card_requests", "role_offers", "data_requests", "uploads", "jobs"),
    *("sites", "site_villages", "cycles", "products", "product_villages", "variants", "certificates"),
    *("channel_accounts", "account_checks", "listings", "declared_listings", "declared_confirmations"),
)
# What happens in it; many copies over two years.
HAPPENING = (
    *(
        "care_logs",
        "conflicting_submissions",
        "batches",
        "batch_sources",
        "batch_events",
        "trace_codes",
        "stock_movements",
    ),
    *("listing_observations", "channel_calls", "notices", "notice_deliveries", "audit_entries", "outbox_events"),
    *("outbox_deliveries", "public_pages", "scan_tallies"),
)
# What is recorded of a village: superseded rows of before.
HISTORY = ("village_facts", "village_assessments")
# What does not grow with the organisations, and why.
STAYS = {
    "places": "the province stays", "place_names": "the province stays", "place_lineage": "the province stays",
    "place_endings": "the province stays", "place_attributes": "the province stays", "place_imports": "a list a year",
    "premises": "the province stays", "floors": "a few by law", "floor_decisions": "a few by law",
    "media_blobs": "read by its name alone", "parameter_choices": "a few by decision", "sign_in_attempts": "kept for a day",
    "alembic_version": "one row", "clock_shift": "one row", "partitioned_tables": "of the schema",
    "stock_totals": "written by the database with each line", "villages_to_derive": "drained in seconds",
    "kept_months": "of the schema", "retention_runs": "a line a night", "retention_choices": "a few by decision",
}  # fmt: skip
YEARS_DAYS = 700
STEP_COPIES = 12
SEEN_EACH = 3  # sightings of each listing, before they are copied


@dataclass(frozen=True, slots=True)
class Size:
    """How many copies.

    `organisations`: of the demo's, each with so many times what is `happening`; `own`: of what happened in the demo's own;
    `members`: of the households, products, shops and listings of the demo's own cooperatives; `history`: of villages' records.
    """

    name: str
    organisations: int
    happening: int
    own: int
    members: int
    history: int


def pair(scale: float) -> tuple[Size, Size]:
    """`scale` 1 is the full size: the larger one then has a million steps and 20,000 organisations."""
    small = max(1, round(42 * scale))
    return (
        Size("1x", small, STEP_COPIES, own=4, members=1, history=1),
        Size("10x", 10 * small, STEP_COPIES, own=40, members=10, history=10),
    )


# --- the world that is copied -----------------------------------------------------------------------------------------

PREPARE = """
CREATE SCHEMA bench;
CREATE FUNCTION bench.copied(id uuid, k integer, d integer) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN k = 0 AND d = 0 THEN id ELSE CAST(md5(id || ':' || k || ':' || d) AS uuid) END;
CREATE TABLE bench.companies AS SELECT id FROM organisations WHERE kind <> 'household';
CREATE UNIQUE INDEX ON bench.companies (id);
CREATE FUNCTION bench.organisation_copied(old uuid, k integer) RETURNS uuid LANGUAGE sql STABLE
    RETURN CASE WHEN k < 0 AND EXISTS (SELECT FROM bench.companies c WHERE c.id = old) THEN old ELSE bench.copied(old, k, 0) END;
CREATE FUNCTION bench.text_copied(said text, k integer, d integer, length integer) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN k = 0 AND d = 0 THEN said ELSE upper(left(md5(said || ':' || k || ':' || d), length)) END;
CREATE FUNCTION bench.number_copied(said text, k integer) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN k = 0 THEN said ELSE left(translate(md5(said || ':' || k), 'abcdef', '123456'), 14) END;
CREATE TABLE bench.villages AS
    SELECT id, parent_id, CAST(row_number() OVER (ORDER BY code) - 1 AS integer) AS number
    FROM places WHERE level = 'village' AND valid_to IS NULL;
CREATE UNIQUE INDEX ON bench.villages (id);
CREATE UNIQUE INDEX ON bench.villages (number);
CREATE FUNCTION bench.village(old uuid, k integer) RETURNS uuid LANGUAGE sql STABLE
    RETURN CASE WHEN k <= 0 THEN old ELSE (SELECT there.id FROM bench.villages here JOIN bench.villages there
        ON there.number = (here.number + k * 37) % (SELECT count(*) FROM bench.villages) WHERE here.id = old) END;
CREATE FUNCTION bench.commune(village uuid, commune uuid, k integer) RETURNS uuid LANGUAGE sql STABLE
    RETURN CASE WHEN k <= 0 THEN commune
        WHEN village IS NOT NULL THEN (SELECT parent_id FROM bench.villages WHERE id = bench.village(village, k))
        ELSE (SELECT parent_id FROM bench.villages WHERE id = bench.village(
            (SELECT id FROM bench.villages WHERE parent_id = commune ORDER BY number LIMIT 1), k)) END;
"""


@dataclass(frozen=True, slots=True)
class OneMore:
    """Copies of rows of the table with other values: SQL expressions on `r`, the row, and on `s`, the source.

    What nobody names stays as in the row, whatever columns it has; only a number that the table gives itself is another one.
    """

    table: str
    source: str
    values: dict[str, str]

    def add(self, owner: Connection, parameters: Mapping[str, object] | None = None) -> None:
        """`parameters`: for the placeholders of source and values, as psycopg writes them."""
        names = [column.name for column in columns(owner, self.table)]
        picked = ", ".join(self.values.get(name, f'r."{name}"') for name in names)
        into = ", ".join(f'"{name}"' for name in names)
        owner.execute(f"INSERT INTO {self.table} ({into}) SELECT {picked} FROM {self.source}", parameters)


# What the demo has none of, or too little: of the demo's people and organisations, in the middle of ordinary life.
ONE_OF_EACH = """
SELECT hoi_make_partitions(name, now() - n * interval '1 month') FROM partitioned_tables, generate_series(0, 24) AS n;
INSERT INTO listings
    SELECT (jsonb_populate_record(CAST(NULL AS listings), jsonb_build_object(
        'id', bench.copied(v.id, 0, CAST(a.number AS integer)), 'organisation_id', v.organisation_id, 'account_id', a.id,
        'product_id', v.product_id, 'variant_id', v.id, 'wanted', 'live', 'wanted_version', 1, 'applied_version', 1,
        'remote_id', v.sku, 'state', 'live', 'failures', 0, 'next_look_at', now() + interval '1 hour',
        'created_at', now() - interval '300 days', 'applied_stock', 20, 'sold_there', 0, 'sent_skus', jsonb_build_array(),
        'mends', 0, 'recall_paused', false, 'recorded_there', 0, 'spot_sales', 0, 'sent_stocks', jsonb_build_array(),
        'last_seen_at', now() - interval '8 hours', 'kept_at', now() - interval '8 hours',
        'changed_at', now() - interval '8 hours', 'last_live', true, 'last_buyable', true, 'last_raw_state', 'publish',
        'last_url', 'https://shop.invalid/' || v.id, 'last_price_dong', v.price_dong, 'last_stock', 21,
        'last_reasons', jsonb_build_array()))).*
    FROM variants v JOIN (SELECT id, organisation_id, row_number() OVER (PARTITION BY organisation_id) AS number
                          FROM channel_accounts) a ON a.organisation_id = v.organisation_id
    WHERE NOT EXISTS (SELECT FROM listings l WHERE l.account_id = a.id AND l.variant_id = v.id);
INSERT INTO listing_observations (id, listing_id, organisation_id, seen_at, live, buyable, raw_state, url, price_dong, stock, reasons)
    SELECT gen_random_uuid(), l.id, l.organisation_id, now() - n * interval '8 hours', true, true, 'publish',
           'https://shop.invalid/' || l.id, v.price_dong, 20 + n, '[]'
    FROM listings l JOIN variants v ON v.id = l.variant_id, generate_series(1, 3) AS n;
INSERT INTO channel_calls (id, at, account_id, organisation_id, listing_id, verb, outcome, milliseconds, detail)
    SELECT gen_random_uuid(), o.seen_at, l.account_id, l.organisation_id, l.id, 'look', 'ok', 250, ''
    FROM listing_observations o JOIN listings l ON l.id = o.listing_id;
INSERT INTO notices (id, person_id, key, reason, urgency, title, body, created_at, seen_at)
    SELECT gen_random_uuid(), id, 'bench-' || n, 'bench', 'low', '{"vi": "Tin"}', '{"vi": "Lô đang giữ đã được xem lại."}',
           now() - n * interval '2 days', CASE WHEN n > 2 THEN now() END
    FROM people, generate_series(1, 3) AS n;
INSERT INTO notice_deliveries (notice_id, carrier, state, attempts, sent_at)
    SELECT id, 'email', 'sent', 1, created_at FROM notices;
INSERT INTO outbox_deliveries
    SELECT (jsonb_populate_record(CAST(NULL AS outbox_deliveries), jsonb_build_object(
        'event_id', id, 'reaction', 'bench.settled', 'queue', 'hoi', 'attempts', 0, 'starts', 0,
        'run_after', now() - interval '1 hour', 'done_at', now() - interval '1 hour'))).*
    FROM outbox_events WHERE due_at < now();
UPDATE outbox_events SET fanned_out_at = now() - interval '1 hour' WHERE due_at < now();
INSERT INTO scan_tallies (id, received_at, code, scans)
    SELECT gen_random_uuid(), now() - n * interval '3 hours', code, n FROM trace_codes, generate_series(1, 3) AS n;
INSERT INTO sign_ins (id, person_id, token_sha256, method, description, started_at, last_seen_at, expires_at)
    SELECT gen_random_uuid(), id, sha256(CAST(CAST(id AS text) AS bytea)), 'password', 'Chrome trên Android', now() - interval '9 days',
           now() - interval '1 day', now() + interval '20 days' FROM people;
INSERT INTO uploads (id, person_id, size, sha256, received, created_at)
    SELECT gen_random_uuid(), id, 3, repeat('a', 64), 0, now() FROM people;
INSERT INTO data_requests (id, person_id, kind, detail, received_at, answer_due_at, fulfil_due_at, answered_at, answer, fulfilled_at)
    SELECT gen_random_uuid(), person_id, 'see', '', now(), now() + interval '10 days', now() + interval '20 days',
           CASE WHEN n % 12 > 0 THEN now() END, CASE WHEN n % 12 > 0 THEN 'Đã gửi.' END, CASE WHEN n % 12 > 0 THEN now() END
    FROM (SELECT person_id, row_number() OVER (ORDER BY person_id) AS n FROM personal_data) people;
INSERT INTO cards (id, person_id, organisation_id, secret_sha256, pin_tries, printed_at, expires_at, bound_at)
    SELECT gen_random_uuid(), m.person_id, h.cooperative_id, sha256(CAST(m.id || 'card' AS bytea)), 0, now() - interval '90 days',
           now() - interval '80 days', now() - interval '85 days'
    FROM memberships m JOIN household_memberships h ON h.household_id = m.organisation_id
    WHERE m.role = 'farmer' AND NOT EXISTS (SELECT FROM cards c WHERE c.person_id = m.person_id);
INSERT INTO devices (id, person_id, organisation_id, card_id, token_sha256, description, bound_at, last_seen_at)
    SELECT gen_random_uuid(), person_id, organisation_id, id, sha256(CAST(id || 'device' AS bytea)), 'Android', bound_at, now()
    FROM cards WHERE bound_at IS NOT NULL;
INSERT INTO card_requests (id, card_id, person_id, organisation_id, token_sha256, description, number, asked_at, expires_at, state)
    SELECT gen_random_uuid(), id, person_id, organisation_id, sha256(CAST(id || 'request' AS bytea)), 'Android', 11, now(),
           now() + interval '1 hour', 'waiting'
    FROM cards WHERE bound_at IS NOT NULL;
INSERT INTO role_offers (id, person_id, organisation_id, role, offered_at)
    SELECT gen_random_uuid(), m.person_id, h.cooperative_id, 'purchaser', now()
    FROM memberships m JOIN household_memberships h ON h.household_id = m.organisation_id WHERE m.role = 'farmer';
INSERT INTO account_checks (id, organisation_id, account_id, renews, channel, name, stock_buffer, shown, credentials_sealed, state,
                            issues, asked_by, asked_at)
    SELECT gen_random_uuid(), a.organisation_id, a.id, true, a.channel, a.name, 0, '{}', 'sealed', 'waiting', '[]', m.person_id, now()
    FROM channel_accounts a JOIN memberships m ON m.organisation_id = a.organisation_id AND m.role = 'cooperative_manager';
INSERT INTO conflicting_submissions (id, care_log_id, site_id, organisation_id, body, content_sha256, received_at, person_id)
    SELECT gen_random_uuid(), id, site_id, organisation_id, '{}', repeat('b', 64), now(), written_by FROM care_logs ORDER BY id LIMIT 5;
INSERT INTO jobs (id, kind, title, params, person_id, state, done, queued_at)
    SELECT gen_random_uuid(), 'none', '{"vi": "Việc"}', '{}', person_id, 'done', 0, now() FROM credentials;
INSERT INTO public_pages (code, language, wanted_version)
    SELECT code, 'vi', 1 FROM trace_codes ON CONFLICT DO NOTHING;
"""
MORE = (
    OneMore(
        "channel_accounts",
        "channel_accounts r, organisations s, generate_series(1, 3) AS n WHERE r.id = (SELECT min(CAST(id AS text))::uuid FROM"
        " channel_accounts) AND EXISTS (SELECT FROM products p WHERE p.organisation_id = s.id)"
        " AND NOT EXISTS (SELECT FROM channel_accounts a WHERE a.organisation_id = s.id)",
        {"id": "bench.copied(s.id, 0, CAST(n AS integer))", "organisation_id": "s.id", "name": "'Gian hàng ' || n"},
    ),
    OneMore(
        "village_facts",
        "village_facts r, bench.villages s WHERE r.village_id = (SELECT village_id FROM village_facts GROUP BY 1"
        " ORDER BY abs(count(*) - 10), 1 LIMIT 1) AND NOT EXISTS (SELECT FROM village_facts f WHERE f.village_id = s.id)",
        {
            "id": "bench.copied(r.id, s.number + 1, 0)",
            "village_id": "s.id",
            "supersedes_id": "bench.copied(r.supersedes_id, s.number + 1, 0)",
        },
    ),
    OneMore(
        "village_assessments",
        "village_assessments r, bench.villages s WHERE r.current AND r.village_id = (SELECT village_id FROM village_assessments"
        " WHERE current ORDER BY met DESC LIMIT 1) AND NOT EXISTS (SELECT FROM village_assessments a WHERE a.village_id = s.id)",
        {"id": "bench.copied(r.id, s.number + 1, 0)", "village_id": "s.id"},
    ),
)


def enrich(owner: Connection, *, every_village: bool = True) -> None:
    """Give the demo one row more of everything that it has none of, and keep it as what is copied.

    `every_village`: with facts and an answer for each of them, as after years.
    """
    owner.execute(PREPARE)
    for more in MORE if every_village else MORE[:1]:
        more.add(owner)
    owner.execute(ONE_OF_EACH)
    for table in tables(owner):
        if table not in STAYS:
            owner.execute(
                sql.SQL("CREATE TABLE {} AS TABLE {}").format(sql.Identifier("bench", table), sql.Identifier(table))
            )
    owner.execute("ANALYZE")


# --- the copies ---------------------------------------------------------------------------------------------------------

# Columns that name something without a foreign key, by the table that holds it.
NAMES = {
    "person_id": "people", "organisation_id": "organisations", "log_organisation_id": "organisations", "account_id": "channel_accounts", "listing_id": "listings",
    "device_id": "devices", "sign_in_id": "sign_ins",
}  # fmt: skip
LOT = (
    "CASE WHEN of.d = 0 AND of.k >= 0 THEN r.lot"
    " ELSE left(r.lot, 12) || '-' || of.d || CASE WHEN of.k < 0 THEN CAST(of.k AS text) ELSE '' END END"
)
# Values that must differ from copy to copy, or lie elsewhere: SQL on the row `r` and on `of`, the
# number `k` of the organisation's copy and the number `d` of its time.
OWN_VALUES = {
    ("personal_data", "phone"): "r.phone || lpad(CAST(CASE WHEN of.k < 0 THEN 9000 - of.k ELSE of.k END AS text), 4, '0')",
    ("organisations", "tax_code"): "NULL",
    ("variants", "sku"): "CASE WHEN of.k < 0 THEN r.sku || of.k ELSE r.sku END",
    ("organisations", "village_id"): "bench.village(r.village_id, of.k)",
    ("organisations", "commune_id"): "bench.commune(r.village_id, r.commune_id, of.k)",
    ("site_villages", "village_id"): "bench.village(r.village_id, of.k)",
    ("product_villages", "village_id"): "bench.village(r.village_id, of.k)",
    ("variants", "gtin"): "bench.number_copied(r.gtin, of.k)",
    ("cards", "secret_sha256"): "sha256(r.secret_sha256 || CAST(CAST(of.k AS text) AS bytea))",
    ("devices", "token_sha256"): "sha256(r.token_sha256 || CAST(CAST(of.k AS text) AS bytea))",
    ("card_requests", "token_sha256"): "sha256(r.token_sha256 || CAST(CAST(of.k AS text) AS bytea))",
    ("sign_ins", "token_sha256"): "sha256(r.token_sha256 || CAST(CAST(of.k AS text) AS bytea))",
    ("batches", "lot"): LOT,
    ("trace_codes", "lot"): LOT,
    ("trace_codes", "gtin"): "bench.number_copied(r.gtin, of.k)",
    ("trace_codes", "code"): "CASE WHEN r.gtin IS NULL THEN bench.text_copied(r.code, of.k, of.d, 13) ELSE"
    f" bench.number_copied(r.gtin, of.k) || '/' || {LOT} END",
    ("public_pages", "code"): "bench.text_copied(r.code, of.k, of.d, 13)",
    ("public_pages", "body"): "decode(repeat(md5(r.code || of.k || of.d), 90), 'hex')",  # three KB that nobody opens
    ("public_pages", "body_version"): "r.wanted_version",
    ("public_pages", "next_change_at"): "r.next_change_at",
    ("scan_tallies", "code"): "bench.text_copied(r.code, of.k, of.d, 13)",
    ("notices", "key"): "r.key || '-' || of.k || '-' || of.d",
    ("outbox_events", "due_at"): "r.due_at",
    # A fact's copies are the ones before it, each superseded by the next.
    ("village_facts", "supersedes_id"): "CASE WHEN of.d < (SELECT max(d) FROM bench.copies WHERE kind = 'history')"
    " THEN bench.copied(r.id, 0, of.d + 1) END",
    ("village_facts", "superseded_on"): "NULL",  # the database says it
    ("village_facts", "superseded_at"): "NULL",
    ("village_assessments", "current"): "false",
}  # fmt: skip
ONLY = {
    "organisations": "r.kind = 'household' OR (of.k > 0 AND r.kind <> 'authority')",
    "memberships": "r.role = 'farmer' OR (of.k > 0 AND r.role IN ('cooperative_manager', 'purchaser'))",
    "village_facts": "r.supersedes_id IS NULL",
    "outbox_events": "r.fanned_out_at IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    refers_to: str | None


def tables(owner: Connection) -> list[str]:
    """All tables of the product, partitions left out."""
    found = owner.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
    )
    return [str(name) for (name,) in found]


def columns(owner: Connection, table: str) -> list[Column]:
    """What can be written, each with the table that it refers to."""
    found = owner.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), (SELECT min(CAST(CAST(c.confrelid AS regclass) AS text))"
        "   FROM pg_constraint c, unnest(c.conkey, c.confkey) AS pair (own, other) JOIN pg_attribute o ON o.attnum = pair.other"
        "   WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND pair.own = a.attnum AND o.attrelid = c.confrelid"
        "   AND (o.attname <> 'organisation_id' OR array_length(c.conkey, 1) = 1))"
        " FROM pg_attribute a WHERE a.attrelid = CAST(%s AS regclass) AND a.attnum > 0 AND NOT a.attisdropped"
        " AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum",
        (table,),
    )
    return [Column(str(name), str(kind), None if other is None else str(other)) for name, kind, other in found]


def kinds(owner: Connection) -> dict[str, str]:
    """Every table that grows: standing, happening or history. One that nobody named is what the tables are that it refers to."""
    known = (
        dict.fromkeys(STANDING, "standing") | dict.fromkeys(HAPPENING, "happening") | dict.fromkeys(HISTORY, "history")
    )
    found = {}
    for table in tables(owner):
        if table in STAYS:
            continue
        others = {known[c.refers_to] for c in columns(owner, table) if c.refers_to in known}
        unknown = next((kind for kind in ("happening", "standing") if kind in others), "")
        kind = known.get(table, unknown)
        if kind:
            found[table] = kind
    return found


def grow(owner: Connection, into: Connection, size: Size) -> dict[str, int]:
    """Copy so often. Both connections lead to the same database. Returns the rows of each table."""
    known = kinds(owner)
    owner.execute("DROP TABLE IF EXISTS bench.copies")
    owner.execute(
        "CREATE TABLE bench.copies AS"
        " SELECT 'standing' AS kind, k, 0 AS d, interval '0' AS ago FROM generate_series(1, %(k)s) AS k UNION ALL"
        " SELECT kind, -k, 0, interval '0' FROM generate_series(1, %(members)s) AS k, unnest(ARRAY['standing', 'happening']) AS kind"
        " UNION ALL SELECT 'happening', k, d, d * interval '1 day' * %(days)s / %(d)s"
        " FROM generate_series(1, %(k)s) AS k, generate_series(0, %(d)s - 1) AS d UNION ALL"
        " SELECT 'happening', 0, d, d * interval '1 day' * %(days)s / %(own)s FROM generate_series(1, %(own)s) AS d UNION ALL"
        " SELECT 'history', 0, d, d * interval '1 day' * %(days)s / %(h)s FROM generate_series(1, %(h)s) AS d",
        {
            "k": size.organisations,
            "d": size.happening,
            "own": size.own,
            "members": size.members,
            "h": size.history,
            "days": YEARS_DAYS,
        },
    )
    first = owner.execute("SELECT pg_get_indexdef(CAST('uq_village_facts_first' AS regclass))").fetchone()
    assert first is not None
    owner.execute("DROP INDEX uq_village_facts_first")  # until what was first is preceded by its copies
    for table in _in_order(owner, known):
        _copy(owner, into, table, known)
    owner.execute(
        "UPDATE village_facts f SET supersedes_id = bench.copied(f.id, 0, 1) FROM bench.village_facts r"
        " WHERE r.id = f.id AND r.supersedes_id IS NULL"
    )
    owner.execute(str(first[0]))
    owner.execute("VACUUM (ANALYZE)")
    counted = {}
    for table in tables(owner):
        row = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        counted[table] = int(str(row[0]))
    return counted


def _in_order(owner: Connection, known: dict[str, str]) -> Iterable[str]:
    """What others refer to comes first."""
    before: dict[str, set[str]] = defaultdict(set)
    for table in known:
        before[table] |= {c.refers_to for c in columns(owner, table) if c.refers_to in known and c.refers_to != table}
    return TopologicalSorter(before).static_order()


def _copy(owner: Connection, into: Connection, table: str, known: dict[str, str]) -> None:
    wanted = columns(owner, table)
    values = ", ".join(f"CAST({_value(table, c, known)} AS {c.type})" for c in wanted)
    position = owner.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = CAST(%s AS regclass) AND attidentity <> ''", (table,)
    ).fetchone()
    order = f" ORDER BY c.k, c.d DESC, r.{position[0]}" if position else ""
    names = ", ".join(f'"{c.name}"' for c in wanted)
    read = (
        f"COPY (SELECT {values} FROM bench.{table} r CROSS JOIN bench.copies c CROSS JOIN LATERAL (SELECT c.k, c.d) AS of (k, d)"
        f" WHERE c.kind = '{known[table]}' AND ({ONLY.get(table, 'true')}){order}) TO STDOUT (FORMAT binary)"
    )
    write = f"COPY {table} ({names}) FROM STDIN (FORMAT binary)"
    with (
        owner.cursor().copy(read) as out,
        into.cursor().copy(write) as filled,
    ):  # both autocommit: a table is one transaction
        for data in out:
            filled.write(data)


def _value(table: str, column: Column, known: dict[str, str]) -> str:
    own = OWN_VALUES.get((table, column.name))
    if own is not None:
        return own
    row = f"r.{column.name}"
    if column.type == "uuid":
        other = column.refers_to or NAMES.get(column.name) or ("people" if column.name.endswith("_by") else None)
        kind = known.get(other or "")
        if other == "organisations":
            return f"bench.organisation_copied({row}, of.k)"
        if kind == "standing":
            return f"bench.copied({row}, of.k, 0)"
        if kind in {"happening", "history"} or (other is None and column.name != "subject"):
            return f"bench.copied({row}, of.k, of.d)"
        return row
    if known[table] != "standing" and (column.type == "date" or column.type.startswith("timestamp")):
        return f"{row} - c.ago"
    return row
