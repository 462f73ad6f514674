"""Code hosts: one module a host, found by looking in this folder.

A host module has ``TOKENS``, the environment variables that may hold its token, the best first, and
``post(message, access) -> Posted``: keeps one comment for ``message.key`` on the change of ``message.job``.
It may also have

* ``check(message, access) -> Posted``: the same as a check or commit status, where no comment can be written;
* ``job_logs(job, access) -> Iterator[JobLog]``: the logs of the failed jobs of ``job.run``;
* ``change_of(job, access) -> str | None``: the open pull or merge request whose head is ``job.commit``.

Each raises HostFault, and nothing else, when the host cannot or will not. Nobody here reads a log: what is said comes
ready in a Message.
"""
