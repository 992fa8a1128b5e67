-- why: db.Table puts the owner elsewhere than its model says: its row can't be looked for

BEGIN;

INSERT INTO "archive" ("title","id") VALUES ($1,$2) RETURNING "id";
-- $1 = ""
-- $2 = uint 77

WITH m2m_new AS (SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM "publications" AS s WHERE s."id" = $2::bigint) THEN 't' ELSE 'n' END AS s WHERE NOT EXISTS (SELECT 1 FROM "article_publications" AS j WHERE j."article_id" = $1::bigint AND j."publication_id" = $2::bigint) OR NOT EXISTS (SELECT 1 FROM "publications" AS s WHERE s."id" = $2::bigint)), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("article_id", "publication_id") SELECT $1::bigint, $2::bigint FROM m2m_new WHERE s = 'n' ON CONFLICT ("article_id", "publication_id") DO NOTHING RETURNING 1) SELECT CASE s WHEN 'n' THEN 0 ELSE 1 END AS n, s FROM m2m_new WHERE s <> 'n' OR EXISTS (SELECT 1 FROM m2m_written);
-- $1 = "77"
-- $2 = "1"

COMMIT;
