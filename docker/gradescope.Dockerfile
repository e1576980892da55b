# The same grader as an image for Gradescope's "manual Docker configuration", which must inherit from its base image and
# may not set CMD or ENTRYPOINT. The build context is an unpacked `gradkit bundle gradescope` zip:
#
#   gradkit bundle gradescope attention --out attention.zip --torch-index … && unzip attention.zip -d build/gradescope
#   docker build -f docker/gradescope.Dockerfile -t course/attention build/gradescope

ARG BASE=gradescope/autograder-base:ubuntu-22.04
FROM ${BASE}

COPY . /autograder/source
RUN mkdir -p /autograder/submission /autograder/results && sh /autograder/source/setup.sh
