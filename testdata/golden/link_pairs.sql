-- why: any number of keys: an insert that counts, with no look and no locks

WITH m2m_new AS (SELECT r.* FROM (SELECT a.* FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[])) WITH ORDINALITY AS a (k1, k2, n)) AS r), m2m_written AS (INSERT INTO "article_publications" AS m2m_join ("publication_id", "article_id") SELECT k1, k2 FROM m2m_new ORDER BY k1, k2 ON CONFLICT ("publication_id", "article_id") DO NOTHING RETURNING m2m_join."publication_id" AS k1, m2m_join."article_id" AS k2) SELECT count(*) AS n, 'n' AS s FROM m2m_written;
-- $1 = "{3}"
-- $2 = "{1}"
