CREATE TABLE t (
  a int, -- the a
  b int, c int, -- the c
  d int -- the d
)