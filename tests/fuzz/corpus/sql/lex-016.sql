),
            (Sqlite, r