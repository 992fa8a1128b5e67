-- why: any number of keys: an insert that counts, with no look and no locks

WITH m2m_new AS (SELECT r.* FROM (SELECT a.* FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, k2, n)) AS r), m2m_owners AS (SELECT s."id" FROM "articles" AS s WHERE (s."id") IN (SELECT k2 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s), m2m_targets AS (SELECT s."id" FROM "publications" AS s WHERE (s."id") IN (SELECT k1 FROM m2m_new) ORDER BY 1 FOR KEY SHARE OF s) INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT k1, k2 FROM m2m_new WHERE (SELECT count(*) FROM m2m_owners) >= 0 AND (SELECT count(*) FROM m2m_targets) >= 0 ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING;
-- $1 = "{3}"
-- $2 = "{1}"
