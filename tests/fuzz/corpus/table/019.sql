CREATE TABLE t (a CONSTRAINT [f1] REFERENCES u, b REFERENCES v(x) ON UPDATE SET DEFAULT DEFERRABLE
             CONSTRAINT c1 CHECK (t.b <> a) REFERENCES w, CONSTRAINT f2 FOREIGN KEY (a, b) REFERENCES u (c, d)
             CHECK (a -- first
             > 0 -- last
             ) CONSTRAINT "c""2" CHECK ("b" COLLATE b IS NOT NULL AND 'a' <> count(x'0a')))