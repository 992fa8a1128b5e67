-- why: one link, by the short statement; the owner's auto-update time moves with it, if it was made

WITH m2m_new AS (SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM "timeds" AS s WHERE s."id" = $1::bigint FOR NO KEY UPDATE OF s) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "publications" AS s WHERE s."id" = $2::bigint FOR KEY SHARE OF s) THEN 't' ELSE 'n' END AS s WHERE NOT EXISTS (SELECT 1 FROM "timed_publications" AS j WHERE j."timed_id" = $1::bigint AND j."publication_id" = $2::bigint)), m2m_written AS (INSERT INTO "timed_publications" AS m2m_join ("timed_id", "publication_id") SELECT $1::bigint, $2::bigint FROM m2m_new WHERE s = 'n' ON CONFLICT ("timed_id", "publication_id") DO NOTHING RETURNING 1), m2m_touched AS (UPDATE "timeds" AS s SET "updated_at" = $3 WHERE s."id" = $1::bigint AND EXISTS (SELECT 1 FROM m2m_written)) SELECT CASE s WHEN 'n' THEN 0 ELSE 1 END AS n, s FROM m2m_new WHERE s <> 'n' OR EXISTS (SELECT 1 FROM m2m_written);
-- $1 = "1"
-- $2 = "1"
-- $3 = time 2016-04-05T06:07:08.901234567Z
