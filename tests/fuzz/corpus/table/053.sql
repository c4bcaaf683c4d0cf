CREATE TABLE t (
  a int, -- the a
  c int, -- the c
  d int -- the d
)