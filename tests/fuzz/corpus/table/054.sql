CREATE TABLE t (
  a int, -- the a
  b int, d int -- the d
)