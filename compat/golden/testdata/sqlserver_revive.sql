-- why: a link that is soft-deleted

BEGIN;

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM "memberships" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."user_id" = r.k1 AND j."group_id" = r.k2 AND j."deleted_at" IS NULL) THEN 'e' WHEN EXISTS (SELECT 1 FROM "memberships" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."user_id" = r.k1 AND j."group_id" = r.k2) THEN 'd' ELSE 'n' END AS s FROM (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint))) AS r (n, k1, k2)) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2

UPDATE j SET j."deleted_at" = @p1 FROM "memberships" AS j JOIN (VALUES (1, CAST(@p2 AS bigint), CAST(@p3 AS bigint))) AS r (n, k1, k2) ON j."user_id" = r.k1 AND j."group_id" = r.k2 WHERE NOT (j."deleted_at" IS NULL);
-- 1 = <nil>
-- 2 = 1
-- 3 = 2

SELECT n, s FROM (SELECT r.n, CASE WHEN NOT EXISTS (SELECT 1 FROM "users" AS s WHERE s."id" = r.k1) THEN 'o' WHEN NOT EXISTS (SELECT 1 FROM "groups" AS s WHERE s."id" = r.k2) THEN 't' WHEN EXISTS (SELECT 1 FROM "memberships" AS j WITH (UPDLOCK, HOLDLOCK) WHERE j."user_id" = r.k1 AND j."group_id" = r.k2 AND j."deleted_at" IS NULL) THEN 'e' ELSE 'n' END AS s FROM (VALUES (1, CAST(@p1 AS bigint), CAST(@p2 AS bigint))) AS r (n, k1, k2)) AS f WHERE s <> 'e';
-- 1 = 1
-- 2 = 2

COMMIT;
