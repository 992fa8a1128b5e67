-- why: hooks need to know which rows are new before they are written: find, write, load

BEGIN;

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k2, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") = (SELECT k1 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k2)) SELECT n, 'n' AS s FROM m2m_new UNION ALL SELECT n, s FROM m2m_unable;
-- $1 = "1"
-- $2 = "{3,2}"

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, a.* FROM unnest((SELECT $3::text[])) WITH ORDINALITY AS a (x1, n)) AS r), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id", "note") SELECT k1, k2, CAST(x1 AS text) FROM m2m_new ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT r.n, 'n' AS s FROM m2m_new AS r JOIN m2m_written AS w ON true;
-- $1 = "1"
-- $2 = "2"
-- $3 = "{\"by the hook\"}"

WITH m2m_asked AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r) SELECT j."id" FROM m2m_asked AS r JOIN "article_publications" AS j ON j."article_id" = r.k1 AND j."publication_id" = r.k2 ORDER BY r.n;
-- $1 = "1"
-- $2 = "2"

COMMIT;
