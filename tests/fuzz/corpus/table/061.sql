CREATE TABLE t (
  a, -- the a
  CONSTRAINT x CHECK (a),
  UNIQUE (a)
)