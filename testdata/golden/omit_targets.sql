-- why: Omit(Rel.*) must never create: an error that was found without a failed statement

BEGIN;

INSERT INTO "articles" ("title","id") VALUES ($1,$2) RETURNING "id";
-- $1 = ""
-- $2 = uint 4

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."publication_id" = r.k1 AND j."article_id" = r.k2) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."id" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."id" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "id" FROM m2m_owners) AS o ON o."id" = r.k2 LEFT JOIN (SELECT DISTINCT "id" FROM m2m_targets) AS t ON t."id" = r.k1), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT DISTINCT ON (k1, k2) k1, k2 FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't')) ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING RETURNING m2m_join."publication_id" AS k1, m2m_join."article_id" AS k2) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{9,1}"
-- $2 = "{4,4}"

ROLLBACK;
