-- why: targets by their unique name: one lookup for all of them, one insert of the missing, equal ones as one row

BEGIN;

WITH m2m_asked AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS a (k1, n)) SELECT r.n AS m2m_n, 'e' AS m2m_s, t."id", t."name", t."note" FROM m2m_asked AS r JOIN "topics" AS t ON t."name" = r.k1 ORDER BY r.n;
-- $1 = "{\"sql\",\"go\",\"sql\"}"

INSERT INTO "topics" ("name","note") VALUES ($1,$2) ON CONFLICT DO NOTHING RETURNING "id";
-- $1 = "sql"
-- $2 = ""

WITH m2m_rows AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (k1, k2, n)), m2m_known AS (SELECT r.*, CASE WHEN EXISTS (SELECT 1 FROM "story_topics" AS j WHERE j."story_id" = r.k1 AND j."topic_id" = r.k2) THEN 'e' ELSE 'n' END AS p FROM m2m_rows AS r), m2m_owners AS (SELECT s."id" FROM "stories" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "topics" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_known WHERE p <> 'e') ORDER BY 1 FOR KEY SHARE OF s), m2m_asked AS (SELECT r.*, CASE WHEN r.p <> 'e' AND o."id" IS NULL THEN 'o' WHEN r.p <> 'e' AND t."id" IS NULL THEN 't' ELSE r.p END AS s FROM m2m_known AS r LEFT JOIN (SELECT DISTINCT "id" FROM m2m_owners) AS o ON o."id" = r.k1 LEFT JOIN (SELECT DISTINCT "id" FROM m2m_targets) AS t ON t."id" = r.k2), m2m_written AS (INSERT INTO "story_topics" AS m2m_join ("story_id", "topic_id") SELECT DISTINCT ON (k1, k2) k1, k2 FROM m2m_asked WHERE s = 'n' AND NOT EXISTS (SELECT FROM m2m_asked WHERE s IN ('o', 't')) ORDER BY k1, k2 ON CONFLICT ("story_id", "topic_id") DO NOTHING RETURNING m2m_join."story_id" AS k1, m2m_join."topic_id" AS k2) SELECT n, s FROM m2m_asked WHERE s IN ('o', 't') UNION ALL SELECT a.n, a.s FROM m2m_asked AS a JOIN m2m_written AS w ON w.k1 = a.k1 AND w.k2 = a.k2;
-- $1 = "{1,1}"
-- $2 = "{2,1}"

COMMIT;
