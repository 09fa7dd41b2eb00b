def kinds():
    return {}
