CREATE TABLE t (
  a, -- the a
  b -- the b
)