CREATE TABLE t -- one
( -- two
 a -- three
 INT /* four */ NOT /* five */ NULL -- six
 , -- seven
 b CHECK (b > 0 -- eight
) -- nine
, UNIQUE (a) CHECK (a > b) -- ten
) -- eleven
