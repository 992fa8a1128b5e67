-- why: schema and table are quoted apart, in the statement and for the catalogue

BEGIN;

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, $2::bigint AS k2, CAST(1 AS bigint) AS n) AS r WHERE NOT EXISTS (SELECT FROM "other_schema"."far_nears" AS j WHERE j."far_id" = r.k1 AND j."near_id" = r.k2)), m2m_owners AS (SELECT s."id" FROM "other_schema"."fars" AS s WHERE (s."id") = (SELECT k1 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "other_schema"."nears" AS s WHERE (s."id") = (SELECT k2 FROM m2m_new LIMIT 1) FOR KEY SHARE OF s), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT FROM m2m_owners AS s WHERE s."id" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT FROM m2m_targets AS s WHERE s."id" = r.k2)), m2m_written AS (INSERT INTO "other_schema"."far_nears" AS m2m_join ("far_id", "near_id") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("far_id", "near_id") DO NOTHING RETURNING m2m_join."far_id" AS k1, m2m_join."near_id" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "1"
-- $2 = "2"

COMMIT;
