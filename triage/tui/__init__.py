"""The desk: a terminal screen where a failing log is pasted and answered.

A face of the service, with no logic of its own: what it shows and does, a command shows and does too.

    app.py        the program: open logs, keys, themes, palette, the way between screens
    sheets.py     one open log: its text while it is read, its answer when it stands (no Textual)
    document/     a log of any size as lines that can be asked for by number (no Textual)
    screens/      one module a screen, found by looking in the folder
    widgets/      one module a widget
"""
