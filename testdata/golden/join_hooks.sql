-- why: hooks need to know which rows are new before they are written: find, write, load

BEGIN;

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = r.k1 AND j."publication_id" = r.k2) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."id" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."id" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "id" FROM m2m_owners) AS o ON o."id" = r.k1 LEFT JOIN (SELECT DISTINCT "id" FROM m2m_targets) AS t ON t."id" = r.k2) SELECT n, s FROM m2m_asked WHERE s <> 'e';
-- $1 = "{1,1}"
-- $2 = "{3,2}"

WITH m2m_asked AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) WITH ORDINALITY AS a (k1, k2, x1, n)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id", "note") SELECT DISTINCT ON (k1, k2) k1, k2, CAST(x1 AS text) FROM m2m_asked ORDER BY k1, k2 ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING m2m_join."article_id" AS k1, m2m_join."publication_id" AS k2) SELECT a.n, 'n' AS s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{1}"
-- $2 = "{2}"
-- $3 = "{\"by the hook\"}"

WITH m2m_asked AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)) SELECT j."id" FROM m2m_asked AS r JOIN "article_publications" AS j ON j."article_id" = r.k1 AND j."publication_id" = r.k2 ORDER BY r.n;
-- $1 = "{1}"
-- $2 = "{2}"

COMMIT;
