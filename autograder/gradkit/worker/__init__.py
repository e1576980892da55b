"""All that runs on the untrusted side: the zygote that forks, the sandbox it enters, the runtime that answers calls."""
