-- why: targets by their unique name: one lookup for all of them, one insert of the missing, equal ones as one row

BEGIN;

WITH m2m_asked AS (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS a (k1, n)) SELECT r.n AS m2m_n, 'e' AS m2m_s, t."id", t."name", t."note" FROM m2m_asked AS r JOIN "topics" AS t ON t."name" = r.k1 ORDER BY r.n;
-- $1 = "{\"sql\",\"go\",\"sql\"}"

INSERT INTO "topics" ("name","note") VALUES ($1,$2) ON CONFLICT DO NOTHING RETURNING "id";
-- $1 = "sql"
-- $2 = ""

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k2, n)) AS r WHERE NOT EXISTS (SELECT 1 FROM "story_topics" AS j WHERE j."story_id" = r.k1 AND j."topic_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "stories" AS s WHERE (s."id") = (SELECT k1 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "topics" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_owners AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT 1 FROM m2m_targets AS s WHERE s."id" = r.k2)), m2m_written AS (INSERT INTO "story_topics" AS m2m_join ("story_id", "topic_id") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT 1 FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("story_id", "topic_id") DO NOTHING RETURNING m2m_join."story_id" AS k1, m2m_join."topic_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "{2,1}"

COMMIT;
