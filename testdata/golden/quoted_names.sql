-- why: names with blanks, key words and quotes reach the statement through GORM's quoting alone

WITH m2m_new AS (SELECT r.* FROM (SELECT $1::bigint AS k1, a.* FROM unnest((SELECT $2::bigint[])) WITH ORDINALITY AS a (k2, n)) AS r WHERE NOT EXISTS (SELECT FROM "odd ""links""" AS j WHERE j."from" = r.k1 AND j."select" = r.k2)), m2m_unable AS (SELECT n, 'o' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT FROM "order by" AS s WHERE s."The ID" = r.k1) UNION ALL SELECT n, 't' AS s FROM m2m_new AS r WHERE NOT EXISTS (SELECT FROM "order by" AS s WHERE s."The ID" = r.k2)), m2m_written AS (INSERT INTO "odd ""links""" AS m2m_join ("from", "select") SELECT k1, k2 FROM m2m_new WHERE NOT EXISTS (SELECT FROM m2m_unable) ORDER BY k1, k2 ON CONFLICT ("from", "select") DO NOTHING RETURNING m2m_join."from" AS k1, m2m_join."select" AS k2) SELECT n, s FROM m2m_unable UNION ALL (SELECT 0 AS n, 'n' AS s FROM m2m_written LIMIT 1);
-- $1 = "2"
-- $2 = "{2,1}"
