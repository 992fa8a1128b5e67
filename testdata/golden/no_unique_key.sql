-- why: without a key the writers take turns: the lock is a statement of its own, before the snapshot

BEGIN;

SELECT current_setting('transaction_isolation') AS isolation, pg_advisory_xact_lock(CAST(CAST($1 AS text) AS regclass)::oid::int, slot)::text FROM (SELECT DISTINCT hash_array(ARRAY[k]) & 127 AS slot FROM unnest($2::bigint[]) AS a (k) ORDER BY 1) AS slots;
-- $1 = "\"article_publications\""
-- $2 = "{1}"

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k2, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") = (SELECT k1 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k2)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id") SELECT DISTINCT ON (k1, k2) k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "{3,2}"

COMMIT;
