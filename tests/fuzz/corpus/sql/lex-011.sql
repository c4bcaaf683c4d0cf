, 22),
            (Symbol, 