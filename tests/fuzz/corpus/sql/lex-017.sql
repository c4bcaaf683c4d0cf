),
            (Sqlite, 