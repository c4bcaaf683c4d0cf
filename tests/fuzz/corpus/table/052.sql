CREATE TABLE t (
  b int, c int, -- the c
  d int -- the d
)