"""The operator's console: pages for people, drawn by the gateway itself.

A page asks the services of administrators what grpcurl would ask (``asking``), lays the answers out
as tables and pictures (``tables``, ``charts``, ``pages``), and Jinja writes them as HTML
(``shown``). A form does what a call does, under the person's name (``acts``). Who may look is
decided before (``door``, ``people``). There are no rules about machines or money here.
"""
