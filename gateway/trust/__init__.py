"""Who machines and people are: the administrators' door, tokens, certificates, enrolment."""
