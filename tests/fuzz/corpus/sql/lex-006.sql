, 7),
            (Symbol, 