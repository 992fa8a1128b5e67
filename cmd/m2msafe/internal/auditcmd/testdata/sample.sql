-- The database of docs/audit.md: join tables by GORM, Django and Rails, as they are met.
CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE groups (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE user_groups (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id),
  group_id bigint NOT NULL
);

CREATE TABLE orders (id bigserial PRIMARY KEY);
CREATE TABLE products (id bigserial PRIMARY KEY, sku text NOT NULL UNIQUE);
CREATE TABLE order_products (
  order_id bigint NOT NULL REFERENCES orders (id),
  product_id bigint NOT NULL REFERENCES products (id),
  quantity int NOT NULL DEFAULT 1,
  deleted_at timestamptz,
  PRIMARY KEY (order_id, product_id)
);

CREATE TABLE articles (id bigserial PRIMARY KEY, title text NOT NULL);
CREATE TABLE tags (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE articles_tags (
  article_id bigint NOT NULL REFERENCES articles (id),
  tag_id bigint NOT NULL REFERENCES tags (id)
);
CREATE UNIQUE INDEX index_articles_tags ON articles_tags (article_id, tag_id);
CREATE INDEX index_tags_articles ON articles_tags (tag_id);

INSERT INTO users (name) SELECT 'user ' || n FROM generate_series(1, 400) AS n;
INSERT INTO groups (name) SELECT 'group ' || n FROM generate_series(1, 40) AS n;
INSERT INTO user_groups (user_id, group_id) SELECT u, g FROM generate_series(1, 400) AS u, generate_series(1, 5) AS g;
INSERT INTO user_groups (user_id, group_id) SELECT u, 1 FROM generate_series(1, 31) AS u;
INSERT INTO user_groups (user_id, group_id) SELECT u, 77 FROM generate_series(1, 4) AS u;
INSERT INTO orders SELECT FROM generate_series(1, 200);
INSERT INTO products (sku) SELECT 'sku-' || n FROM generate_series(1, 30) AS n;
INSERT INTO order_products (order_id, product_id, deleted_at)
  SELECT o, p, CASE WHEN (o + p) % 9 = 0 THEN now() END FROM generate_series(1, 200) AS o, generate_series(1, 3) AS p;
INSERT INTO articles (title) SELECT 'article ' || n FROM generate_series(1, 90) AS n;
INSERT INTO tags (name) VALUES ('go'), ('sql'), ('go');
INSERT INTO articles_tags SELECT a, t FROM generate_series(1, 90) AS a, generate_series(1, 3) AS t;
ANALYZE;
