CREATE TABLE t (a int DEFAULT 1, -- x
 CHECK (a)
  )