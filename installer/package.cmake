# What is installed, and the Debian package of it. installer/package-debian drives this; `cmake --install` alone puts the
# programs in place.
include(GNUInstallDirs)

set(extension_ids ${PROJECT_SOURCE_DIR}/manifests)
set(package_dir ${CMAKE_BINARY_DIR}/package)

install(TARGETS fringe fringe-native RUNTIME COMPONENT programs)

# The rest goes to where a distribution has it --------------------------------
# What has to be made first: native-messaging manifests, both forms of the extension, man pages, completion.
set(PATH ${CMAKE_INSTALL_FULL_BINDIR}/fringe-native)
foreach(family chromium firefox)
  configure_file(${extension_ids}/org.fringe.host.${family}.json.in ${package_dir}/${family}/org.fringe.host.json @ONLY)
endforeach()
unset(PATH)

add_custom_target(package_files
  COMMAND ${PROJECT_SOURCE_DIR}/installer/lib/make-pages $<TARGET_FILE:fringe> ${package_dir}
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${package_dir}/extension ${package_dir}/unpacked
  COMMAND ${PROJECT_SOURCE_DIR}/installer/package-extension --out ${package_dir}/extension
  COMMAND ${CMAKE_COMMAND} -E make_directory ${package_dir}/unpacked
  COMMAND ${CMAKE_COMMAND} -E chdir ${package_dir}/unpacked
          ${CMAKE_COMMAND} -E tar xf ${package_dir}/extension/fringe-${PROJECT_VERSION}-chromium.zip
  COMMAND ${CMAKE_COMMAND} -E copy ${PROJECT_SOURCE_DIR}/installer/debian/changelog ${package_dir}/changelog
  COMMAND gzip -9nf ${package_dir}/fringe.1 ${package_dir}/fringe-native.1 ${package_dir}/fringe-supernode.8
          ${package_dir}/changelog
  VERBATIM)
add_dependencies(package_files fringe)

function(package_files destination)
  install(FILES ${ARGN} DESTINATION ${destination} COMPONENT system EXCLUDE_FROM_ALL)
endfunction()

package_files(${CMAKE_INSTALL_FULL_SYSCONFDIR}/chromium/native-messaging-hosts ${package_dir}/chromium/org.fringe.host.json)
package_files(/etc/opt/chrome/native-messaging-hosts ${package_dir}/chromium/org.fringe.host.json)
package_files(/etc/opt/edge/native-messaging-hosts ${package_dir}/chromium/org.fringe.host.json)
package_files(lib/mozilla/native-messaging-hosts ${package_dir}/firefox/org.fringe.host.json)
install(DIRECTORY ${package_dir}/unpacked/ DESTINATION ${CMAKE_INSTALL_DATADIR}/chromium/extensions/fringe
        COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${package_dir}/extension/fringe-${PROJECT_VERSION}-firefox.xpi RENAME fringe@fringe.example.xpi
        DESTINATION ${CMAKE_INSTALL_DATADIR}/mozilla/extensions/{ec8030f7-c20a-464f-9b0e-13a3a9e97384}
        COMPONENT system EXCLUDE_FROM_ALL)
package_files(${CMAKE_INSTALL_MANDIR}/man1 ${package_dir}/fringe.1.gz)
package_files(${CMAKE_INSTALL_MANDIR}/man1 ${package_dir}/fringe-native.1.gz)
package_files(${CMAKE_INSTALL_MANDIR}/man8 ${package_dir}/fringe-supernode.8.gz)
install(FILES ${package_dir}/fringe.bash RENAME fringe DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        COMPONENT system EXCLUDE_FROM_ALL)
package_files(/lib/systemd/system installer/supernode/fringe-supernode.service)
package_files(lib/systemd/user installer/systemd/fringe.service)
install(FILES installer/supernode/fringe-supernode.default RENAME fringe-supernode
        DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/default COMPONENT system EXCLUDE_FROM_ALL)
package_files(${CMAKE_INSTALL_DOCDIR} installer/debian/copyright installer/debian/README.Debian ${package_dir}/changelog.gz)
package_files(${CMAKE_INSTALL_DOCDIR}/examples installer/supernode/nginx.conf)
install(FILES installer/debian/lintian-overrides RENAME fringe DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
        COMPONENT system EXCLUDE_FROM_ALL)

# The package -------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fringe)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # half of it is below /etc
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};fringe;programs;/;${CMAKE_BINARY_DIR};fringe;system;/")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The Fringe developers <fringe@fringe.example>")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "visitors of a website carry its static files for each other")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "A site labels and signs what is safe to share; an extension of the browser
takes a page's requests for exactly those files to a small host, which fetches
them from its cache, from other visitors or from the site, verifies every
byte, and shares on when the visitor has chosen so.

This package has the host, the extension for Chromium and Firefox ESR, and
what publishers need: signing, verifying, a super-node.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# libwebsockets finds its event loop, a plugin, when it starts.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libwebsockets-evlib-uv, ca-certificates, init-system-helpers (>= 1.51)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "chromium | firefox-esr")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "minisign, bash-completion")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${package_dir}/conffiles "/etc/chromium/native-messaging-hosts/org.fringe.host.json
/etc/default/fringe-supernode
/etc/opt/chrome/native-messaging-hosts/org.fringe.host.json
/etc/opt/edge/native-messaging-hosts/org.fringe.host.json
")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_dir}/conffiles ${PROJECT_SOURCE_DIR}/installer/debian/postinst
    ${PROJECT_SOURCE_DIR}/installer/debian/prerm ${PROJECT_SOURCE_DIR}/installer/debian/postrm)
include(CPack)
