),
            (Postgres, 