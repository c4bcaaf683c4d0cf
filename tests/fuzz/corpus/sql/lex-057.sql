);
                }
            }
        }
        assert!(cut > 10_000, 