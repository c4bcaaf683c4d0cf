CREATE TABLE t (a int -- x
  NOT NULL)