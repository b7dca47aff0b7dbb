"""A real single-node Kubernetes for the tests: upstream's own programs, built from pinned Go modules, in a network, mount
and process namespace of their own. When the one process at the root of it ends, everything in it ends.

    names.py          addresses and folders          requirements.py   why it cannot run here
    binaries.py       builds and keeps the programs  images.py         images of one static program, no registry
    pki.py            certificates, kubeconfigs      configuration/    what the programs read and the first objects
    node.py           inside the namespaces: starts, watches and restarts the programs
    volumes.py        inside: a volume for each claim of the storage classes `local` and `local-limited`
    client.py         kubectl and helm on any cluster
    running.py        outside: starts and ends the node, loads images, breaks things
"""
