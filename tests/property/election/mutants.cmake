# The exploration and its mutants: machines in which one rule is broken on purpose. A mutant is a copy of
# the election's sources with one text replaced; its symbols end in its name. The sources know nothing
# of it; when a text is not found exactly once the build is refused.
set(election_dir ${PROJECT_SOURCE_DIR}/src/election)
set(mutants_dir ${CMAKE_BINARY_DIR}/mutants)
set(mutant_sources election.c election_rules.c election.def)
set(mutant_symbols election_init election_step election_options_default election_version election_state_name
  election_call_name election_phase_name election_phase_of election_rules_find election_rules_all
  election_rules_is_ours election_rules_duration_ms election_rules_polls_make_fit election_rules_polls_make_row
  election_rules_worker_is_still election_rules_phase_to_tell)
set(mutants_def "/* Made from tests/property/election/mutants.cmake: MUTANT(name, property, meaning) */\n")
foreach(source IN LISTS mutant_sources)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${election_dir}/${source})
endforeach()

function(mutant name property file old new meaning)
  file(READ ${election_dir}/${file} text)
  string(FIND "${text}" "${old}" first)
  string(FIND "${text}" "${old}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "The mutant ${name} does not fit: ${file} must have once: ${old}")
  endif()
  foreach(source IN LISTS mutant_sources)
    if(NOT source STREQUAL file)
      configure_file(${election_dir}/${source} ${mutants_dir}/${name}/election/${source} COPYONLY)
    endif()
  endforeach()
  string(REPLACE "${old}" "${new}" text "${text}")
  file(WRITE ${mutants_dir}/${name}/election/${file}.new "${text}")
  file(COPY_FILE ${mutants_dir}/${name}/election/${file}.new ${mutants_dir}/${name}/election/${file} ONLY_IF_DIFFERENT)

  set(sources ${mutant_sources})
  list(FILTER sources INCLUDE REGEX "\\.c$")
  list(TRANSFORM sources PREPEND ${mutants_dir}/${name}/election/)
  add_library(mutant_${name} OBJECT ${sources})
  target_include_directories(mutant_${name} BEFORE PRIVATE ${mutants_dir}/${name})
  target_link_libraries(mutant_${name} PRIVATE compile_options)
  target_compile_options(mutant_${name} PRIVATE -w) # of what is not called any more
  foreach(symbol IN LISTS mutant_symbols)
    target_compile_definitions(mutant_${name} PRIVATE ${symbol}=${symbol}_${name})
  endforeach()
  target_sources(property_election_exploration PRIVATE $<TARGET_OBJECTS:mutant_${name}>)
  set(mutants_def "${mutants_def}MUTANT(${name}, ${property}, \"${meaning}\")\n" PARENT_SCOPE)
endfunction()

mutant(no_grace 2 election_rules.c
  [[election->free_polls >= election->options.takeover_polls &&]] ""
  "one look at a free slot is enough for a take-over")
mutant(old_looks_count 2 election.c
  [[        election->free_polls = 0;
    }
    election->record]] [[    }
    election->record]]
  "looks at the slot count that were before the holder's last word")
mutant(holder_may_read_on 2 election_rules.c
  [[election_rules_duration_ms(election) &&
           !holder_reads_slot(election)]] [[election_rules_duration_ms(election)]]
  "a lease expires though its holder reads the slot")
mutant(missing_slot_is_free 2 election.c
  [[if (!poll->exists || poll->active)
        election->free_polls = 0;
    else if (election->free_polls == 0)
        election->free_since = view->now;
    if (poll->exists && !poll->active]] [[if (poll->active)
        election->free_polls = 0;
    else if (election->free_polls == 0)
        election->free_since = view->now;
    if (!poll->active]]
  "a slot that does not exist counts as free")
mutant(unfit_take 2 election_rules.c
  [[election->answered_polls >= ELECTION_RULES_FIT_POLLS &&]] ""
  "who does not see the slot takes the lease")
mutant(deaf_to_refusal 3 election.c
  [[        absorb_refusal(election, call);
        election->doubtful = true;
        election->contested]] [[        absorb_refusal(election, call);
        election->contested]]
  "a refused renewal is no reason to read")
mutant(no_stop_limit 3 election.def
  [[ELECTION(LOSING, stop_limit_over,]] [[ELECTION(OVER, stop_limit_over,]]
  "a worker that does not stop is not killed")
mutant(no_way_out_of_an_outage 4 election.def
  [[ELECTION(LEADING, stalled_in_outage,]] [[ELECTION(OVER, stalled_in_outage,]]
  "who can neither work nor say so keeps its stream")
mutant(never_stalled 4 election_rules.c
  [[    if (stalled(view))
        return ELECTION_PHASE_STALLED;
]] ""
  "a holder that cannot work does not say so")
mutant(halted_holder_stays 4 election.def
  [[ELECTION(LEADING, halted,]] [[ELECTION(OVER, halted,]]
  "a halted holder keeps the lease")
mutant(lost_answer_is_forgotten 1 election.def
  [[ELECTION(FOLLOWING, named,]] [[ELECTION(OVER, named,]]
  "who finds itself named after a lost answer does not lead")
mutant(proof_from_the_answer 6 election.c
  [[election->proven_at = election->called_at;]] [[election->proven_at = view->now;]]
  "the right to start counts from the answer instead of the call's beginning")
mutant(start_in_an_outage 6 election.c
  [[return mono_ms_add(election->proven_at, election->options.renew_deadline_ms);]]
  [[return mono_ms_add(election->proven_at, 4 * election->options.lease_duration_ms);]]
  "a stream may be started long after the last proof")
mutant(no_pause_after_a_failure 7 election.c
  [[    election->call_after = mono_ms_add(election->called_at, election->options.retry_period_ms);]] ""
  "a call that failed is repeated at once")

file(WRITE ${mutants_dir}/mutants.def.new "${mutants_def}")
file(COPY_FILE ${mutants_dir}/mutants.def.new ${mutants_dir}/mutants.def ONLY_IF_DIFFERENT)
target_include_directories(property_election_exploration PRIVATE ${mutants_dir})
foreach(part path world world_calls world_faults world_replica world_pack settle explore table)
  target_sources(property_election_exploration PRIVATE ${PROJECT_SOURCE_DIR}/tests/property/election/${part}.c)
endforeach()
# --full goes further.
set_tests_properties(property.election.exploration PROPERTIES TIMEOUT 900)
