),
            (Postgres, r