-- why: schema and table are quoted apart, in the statement and for the catalogue

BEGIN;

WITH m2m_new AS (SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM "other_schema"."fars" AS s WHERE s."id" = $1::bigint FOR KEY SHARE OF s) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "other_schema"."nears" AS s WHERE s."id" = $2::bigint FOR KEY SHARE OF s) THEN 't' ELSE 'n' END AS s WHERE NOT EXISTS (SELECT 1 FROM "other_schema"."far_nears" AS j WHERE j."far_id" = $1::bigint AND j."near_id" = $2::bigint)), m2m_written AS (INSERT INTO "other_schema"."far_nears" AS m2m_join ("far_id", "near_id") SELECT $1::bigint, $2::bigint FROM m2m_new WHERE s = 'n' ON CONFLICT ("far_id", "near_id") DO NOTHING RETURNING 1) SELECT CASE s WHEN 'n' THEN 0 ELSE 1 END AS n, s FROM m2m_new WHERE s <> 'n' OR EXISTS (SELECT 1 FROM m2m_written);
-- $1 = "1"
-- $2 = "2"

COMMIT;
