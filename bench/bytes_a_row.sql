-- Bytes a row with all indices, of rows such as the application writes them: what docs/operator.md multiplies.
-- On an empty database that was migrated and is thrown away afterwards, as a superuser (foreign keys are not asked):
--   psql -h SOCKETS -U hoi -d THROWN_AWAY -v ON_ERROR_STOP=1 -f bench/bytes_a_row.sql
\set n 50000
SET session_replication_role = replica;
\pset tuples_only on
CREATE TEMP TABLE k AS SELECT i, gen_random_uuid() AS id, gen_random_uuid() AS org, gen_random_uuid() AS other,
    now() - interval '10 seconds' * i AS at FROM generate_series(1, :n) AS i;

INSERT INTO care_logs (id, organisation_id, site_id, cycle_id, kind, happened_at, recorded_at, performed_by, written_by, witness,
    material, quantity, unit, pre_harvest_days, note, photos, withdrawn, time_doubtful, content_sha256)
SELECT id, org, other, org, 'spraying', at, at, org, org, 'farmer', 'Abamectin 1.8EC', 20, 'ml', 7, 'Phun sáng, trời mát, không mưa',
    '[]', false, false, md5(i::text) || md5(i::text) FROM k;
INSERT INTO batches (id, organisation_id, product_id, lot, harvested_on, quantity, unit, made_on, expires_on, created_at, person_id, content_sha256)
SELECT id, org, other, 'NA-1126-' || i, at::date, 10, 'kg', at::date, at::date + 5, at, org, md5(i::text) || md5(i::text) FROM k;
INSERT INTO batch_sources SELECT id, other, org, org, 5, 'kg' FROM k;
INSERT INTO batch_events (id, batch_id, organisation_id, kind, at, recorded_at, person_id) SELECT id, other, org, 'created', at, at, org FROM k;
INSERT INTO trace_codes SELECT 'H' || i || substr(md5(i::text), 1, 8), org, id, 'short', NULL, 'NA-1126-' || i, at, org FROM k;
INSERT INTO stock_movements (id, organisation_id, variant_id, batch_id, kind, units, asked, happened_at, recorded_at, person_id, content_sha256)
SELECT id, org, org, other, 'packed', 10, 10, at, at, org, md5(i::text) || md5(i::text) FROM k;
INSERT INTO public_pages (code, language, body, etag, wanted_version, body_version, rendered_at)
SELECT 'H' || i || substr(md5(i::text), 1, 8), 'vi', (SELECT string_agg(decode(md5(i::text || j), 'hex'), '') FROM generate_series(1, 188) j),
    substr(md5(i::text), 1, 24), 1, 1, at FROM k WHERE i <= 10000;
INSERT INTO scan_tallies SELECT id, now(), 'H' || i || substr(md5(i::text), 1, 8), 1 FROM k;
INSERT INTO channel_calls SELECT id, now(), org, org, other, 'look', 'ok', 312, '20 tin, 20 trang' FROM k;
INSERT INTO listing_observations (id, listing_id, organisation_id, seen_at, live, buyable, raw_state, url, price_dong, stock, reasons)
SELECT id, other, org, at, true, true, 'publish', 'https://shop.example/san-pham/na-dai-' || i, 60000, 12, '[]' FROM k;
INSERT INTO audit_entries (id, at, action, person_id, actor_kind, request_id, subject_id, organisation_id, detail)
SELECT id, at, 'trace:care_log:record', org, 'person', md5(i::text), other, org, '{}' FROM k;
INSERT INTO notices (id, person_id, key, reason, urgency, title, body, link, created_at)
SELECT id, org, 'assessment:' || other, 'assessment_changed', 'normal', '{"vi": "Thôn Nà Mẫu: đạt, 7/8 tiêu chí", "en": "Nà Mẫu: met, 7 of 8 criteria"}',
    '{"vi": "Tiêu chí 5, từ chưa đạt sang đạt: 3 trên 3 sản phẩm có tin bán.", "en": "Criterion 5, from not met to met: 3 of 3 products are on sale."}',
    '/thon/' || other, at FROM k;
INSERT INTO notice_deliveries SELECT id, 'in_app', 'sent', 0, NULL, at, NULL FROM k;
INSERT INTO outbox_events (id, name, body, person_id, request_id, recorded_at, due_at, fanned_out_at)
SELECT id, 'trace.care_log_recorded', jsonb_build_object('care_log_id', id, 'site_id', other, 'organisation_id', org), org, md5(i::text), at, at, at FROM k;
INSERT INTO outbox_deliveries (event_id, reaction, queue, attempts, starts, run_after, done_at) SELECT id, 'trace.check_site', 'hoi', 0, 0, at, at FROM k;
INSERT INTO sign_ins (id, person_id, token_sha256, method, description, started_at, last_seen_at, expires_at)
SELECT id, org, decode(md5(i::text) || md5(i::text), 'hex'), 'card', 'Chrome trên Android', at, at, at FROM k;
INSERT INTO conflicting_submissions SELECT id, other, org, '{"kind": "spraying", "note": "Phun sáng"}', md5(i::text) || md5(i::text), at, org, other FROM k;

SELECT 'care_logs', pg_total_relation_size('care_logs') / :n UNION ALL SELECT 'batches', pg_total_relation_size('batches') / :n
UNION ALL SELECT 'batch_sources', pg_total_relation_size('batch_sources') / :n
UNION ALL SELECT 'batch_events', pg_total_relation_size('batch_events') / :n
UNION ALL SELECT 'trace_codes', pg_total_relation_size('trace_codes') / :n
UNION ALL SELECT 'stock_movements', pg_total_relation_size('stock_movements') / :n
UNION ALL SELECT 'public_pages', pg_total_relation_size('public_pages') / 10000
UNION ALL SELECT 'scan_tallies', sum(pg_total_relation_size(inhrelid))::bigint / :n FROM pg_inherits WHERE inhparent = 'scan_tallies'::regclass
UNION ALL SELECT 'channel_calls', sum(pg_total_relation_size(inhrelid))::bigint / :n FROM pg_inherits WHERE inhparent = 'channel_calls'::regclass
UNION ALL SELECT 'listing_observations', (SELECT coalesce(sum(pg_total_relation_size(inhrelid)), pg_total_relation_size('listing_observations'))
    FROM pg_inherits WHERE inhparent = 'listing_observations'::regclass)::bigint / :n
UNION ALL SELECT 'audit_entries', pg_total_relation_size('audit_entries') / :n
UNION ALL SELECT 'notices', pg_total_relation_size('notices') / :n
UNION ALL SELECT 'notice_deliveries', pg_total_relation_size('notice_deliveries') / :n
UNION ALL SELECT 'outbox_events', pg_total_relation_size('outbox_events') / :n
UNION ALL SELECT 'outbox_deliveries', pg_total_relation_size('outbox_deliveries') / :n
UNION ALL SELECT 'sign_ins', pg_total_relation_size('sign_ins') / :n
UNION ALL SELECT 'conflicting_submissions', pg_total_relation_size('conflicting_submissions') / :n;
