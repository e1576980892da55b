"""Nested finally blocks, which the compiler copies: each level doubles the code and the judge's memory."""

NUMBER, NAME, BY = 132, "compile-bomb", "J"
OUTCOMES = ("passed", "crashed", "failed", "timeout")
SPARES_OTHER_TASKS = False  # every worker compiles it


def bomb():
    try:
        g()
    finally:
        try:
            g()
        finally:
            try:
                g()
            finally:
                try:
                    g()
                finally:
                    try:
                        g()
                    finally:
                        try:
                            g()
                        finally:
                            try:
                                g()
                            finally:
                                try:
                                    g()
                                finally:
                                    try:
                                        g()
                                    finally:
                                        try:
                                            g()
                                        finally:
                                            try:
                                                g()
                                            finally:
                                                try:
                                                    g()
                                                finally:
                                                    try:
                                                        g()
                                                    finally:
                                                        try:
                                                            g()
                                                        finally:
                                                            try:
                                                                g()
                                                            finally:
                                                                try:
                                                                    g()
                                                                finally:
                                                                    try:
                                                                        g()
                                                                    finally:
                                                                        try:
                                                                            g()
                                                                        finally:
                                                                            try:
                                                                                g()
                                                                            finally:
                                                                                g()
