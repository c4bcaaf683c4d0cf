),
                (Symbol, 